// What there is in an account at AWS, by its official client; every connection goes through the guarded fetch.
import { Readable } from 'node:stream';
import type * as Ec2 from '@aws-sdk/client-ec2';
import type * as S3 from '@aws-sdk/client-s3';
import type { AwsSource } from '../../model/flow/definition.ts';
import { compileValue, parseTemplate, type Json } from '../../model/flow/expression/index.ts';
import type { Fetch } from '../fetch.ts';
import { textOf } from '../text-of.ts';
import { MOST_RESOURCES, type Reading, type SourceParts } from './reading.ts';

const ANSWER_BYTES = 16 * 1024 * 1024;
const DEADLINE_MS = 60_000;

/** Lists the resources of a kind in its regions. Throws in words. */
export async function listAws(
  source: AwsSource,
  { fetch, machineIdentity }: SourceParts,
  reading: Reading,
): Promise<Json[]> {
  if (source.credentials === null && !machineIdentity) {
    throw new Error("the machine's own identity at AWS may not be used (flows.machineIdentity): name credentials");
  }
  const settings = { source, fetch, reading };
  const found: Json[] = [];
  try {
    for (const region of source.regions) {
      for await (const resource of listRegion(settings, region)) {
        found.push(plain(resource, region));
        if (found.length > MOST_RESOURCES) throw new Error(`there are more than ${MOST_RESOURCES} resources`);
      }
    }
  } catch (error) {
    throw new Error(`AWS did not list ${source.type}: ${(error as Error).message}`, { cause: error });
  }
  return found;
}

interface Listing {
  source: AwsSource;
  fetch: Fetch;
  reading: Reading;
}

// The SDK is half a second of loading: nobody waits for it who has no such rule.
async function* listRegion(listing: Listing, region: string): AsyncGenerator<object> {
  if (listing.source.type === 's3.bucket') {
    const s3 = await import('@aws-sdk/client-s3');
    yield* listBuckets(s3, new s3.S3Client({ ...clientSettings(listing, region), forcePathStyle: true }), region);
    return;
  }
  const ec2 = await import('@aws-sdk/client-ec2');
  yield* listEc2(ec2, new ec2.EC2Client(clientSettings(listing, region)), listing.source.type);
}

async function* listEc2(ec2: typeof Ec2, client: Ec2.EC2Client, type: AwsSource['type']): AsyncGenerator<object> {
  switch (type) {
    case 'ec2.instance':
      for await (const { Reservations = [] } of ec2.paginateDescribeInstances({ client }, {})) {
        for (const { Instances = [] } of Reservations) yield* Instances;
      }
      return;
    case 'ec2.security-group':
      for await (const { SecurityGroups = [] } of ec2.paginateDescribeSecurityGroups({ client }, {}))
        yield* SecurityGroups;
      return;
    default:
      for await (const { Volumes = [] } of ec2.paginateDescribeVolumes({ client }, {})) yield* Volumes;
  }
}

// A bucket is what a dozen requests say about it; what a bucket lacks is answered by an error, which is an answer.
async function* listBuckets(s3: typeof S3, client: S3.S3Client, region: string): AsyncGenerator<object> {
  const { Buckets = [] } = await client.send(new s3.ListBucketsCommand({}));
  for (const { Name, CreationDate } of Buckets) {
    const bucket = { Bucket: Name! };
    const { LocationConstraint } = await client.send(new s3.GetBucketLocationCommand(bucket));
    // Without one it is the first region that there was; `EU` is the second.
    const home =
      LocationConstraint === undefined ? 'us-east-1' : LocationConstraint === 'EU' ? 'eu-west-1' : LocationConstraint;
    if (home !== region) continue;
    const [block, policy, acl, tags, encryption, versioning, logging] = await Promise.all([
      orNothing(client.send(new s3.GetPublicAccessBlockCommand(bucket))),
      orNothing(client.send(new s3.GetBucketPolicyStatusCommand(bucket))),
      orNothing(client.send(new s3.GetBucketAclCommand(bucket))),
      orNothing(client.send(new s3.GetBucketTaggingCommand(bucket))),
      orNothing(client.send(new s3.GetBucketEncryptionCommand(bucket))),
      orNothing(client.send(new s3.GetBucketVersioningCommand(bucket))),
      orNothing(client.send(new s3.GetBucketLoggingCommand(bucket))),
    ]);
    yield {
      Name,
      CreationDate,
      Arn: `arn:aws:s3:::${Name}`,
      PublicAccessBlock: block?.PublicAccessBlockConfiguration ?? null,
      IsPublic: policy?.PolicyStatus?.IsPublic ?? false,
      Grants: acl?.Grants ?? [],
      Tags: tags?.TagSet ?? [],
      Encryption: encryption?.ServerSideEncryptionConfiguration?.Rules ?? [],
      Versioning: versioning?.Status ?? 'Off',
      Logging: logging?.LoggingEnabled ?? null,
    };
  }
}

const NOT_THERE = /^(NoSuch|ServerSideEncryptionConfigurationNotFound)/;

async function orNothing<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (NOT_THERE.test((error as Error).name)) return null;
    throw error;
  }
}

function clientSettings({ source, fetch, reading }: Listing, region: string) {
  const credentials = source.credentials && compileValue(source.credentials).evaluate(reading.scope);
  return {
    region,
    maxAttempts: 3,
    requestHandler: handlerOver(fetch, reading.signal),
    ...(source.endpoint === null ? {} : { endpoint: textOf(parseTemplate(source.endpoint).evaluate(reading.scope)) }),
    ...(credentials === null
      ? {}
      : { credentials: credentials as { accessKeyId: string; secretAccessKey: string; sessionToken?: string } }),
  };
}

/** A request as the SDK makes it. */
interface SdkRequest {
  method: string;
  protocol: string;
  hostname: string;
  port?: number;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  body?: unknown;
}

// The SDK's own connections would know nothing of the address guard.
function handlerOver(fetch: Fetch, signal: AbortSignal) {
  return {
    handle: async (request: SdkRequest) => {
      const { method, headers, body } = request;
      const bytes =
        typeof body === 'string' ? new TextEncoder().encode(body) : body instanceof Uint8Array ? body : null;
      const { host: _, 'content-length': __, ...own } = headers;
      const answer = await fetch({
        method,
        url: urlOf(request),
        headers: own,
        body: bytes,
        deadlineMs: DEADLINE_MS,
        maxBytes: ANSWER_BYTES,
        signal,
      });
      const { status, headers: answered, body: content } = answer;
      return { response: { statusCode: status, headers: { ...answered }, body: Readable.from([content]) } };
    },
    destroy: () => undefined,
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
    metadata: { handlerProtocol: 'http/1.1' },
  };
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => {
    const written = encode(name);
    if (value === null) return [written];
    return (Array.isArray(value) ? value : [value]).map((one) => `${written}=${encode(one)}`);
  });
  const search = pairs.length === 0 ? '' : `?${pairs.join('&')}`;
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}${search}`;
}

// The signature counts every character: RFC 3986, which is stricter than encodeURIComponent.
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (one) => `%${one.codePointAt(0)!.toString(16).toUpperCase()}`);
}

// Instants become texts, tags a map beside their list: `TagMap.Owner`.
function plain(resource: object, region: string): Json {
  const copy = JSON.parse(JSON.stringify({ ...resource, Region: region })) as Record<string, Json>;
  const tags = (copy['Tags'] ?? []) as { Key: string; Value: string }[];
  copy['TagMap'] = Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));
  return copy;
}
