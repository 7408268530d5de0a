// Resources at AWS: the official client through the guarded transport, against a server that speaks AWS's protocol (moto,
// from PyPI), and the ten rules of examples/flows/aws-baseline.yaml on what is there.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import * as ec2 from '@aws-sdk/client-ec2';
import * as s3 from '@aws-sdk/client-s3';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { createTransport } from '../src/engine/transport/index.ts';
import { fetchOver } from '../src/flow-port.ts';
import type { SourceParts } from '../src/flow/policy/reading.ts';
import { listResources } from '../src/flow/policy/sources.ts';
import type { AwsSource, AwsType } from '../src/model/flow/definition.ts';
import type { Json } from '../src/model/flow/expression/index.ts';

const REGION = 'eu-central-1';
const IDENTITY = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret-of-the-test' };

function whyNot(): string | false {
  try {
    execFileSync('python3', ['-c', 'import moto.server'], { stdio: 'pipe', timeout: 60_000 });
    return false;
  } catch (error) {
    const { stderr, code } = error as { stderr?: Buffer; code?: string };
    return code === 'ENOENT'
      ? 'there is no python3 here'
      : `moto is not installed: ${String(stderr).trim().split('\n').at(-1)}`;
  }
}

const skip = whyNot();

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startMoto(t: TestContext): Promise<string> {
  const port = await freePort();
  const moto = spawn('python3', ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => moto.kill('SIGKILL'));
  await new Promise<void>((resolve, reject) => {
    let said = '';
    const hear = (bytes: Buffer): void => {
      said += bytes.toString();
      if (said.includes('Running on')) resolve();
    };
    moto.stdout.on('data', hear);
    moto.stderr.on('data', hear);
    moto.once('exit', () => reject(new Error(`moto ended: ${said}`)));
  });
  return `http://127.0.0.1:${port}`;
}

function parts(t: TestContext, of: Partial<SourceParts> = {}): SourceParts {
  const transport = createTransport({ guard: createAddressGuard({ allow: ['127.0.0.0/8'] }), userAgent: 'test' });
  t.after(() => transport.close({ force: true }));
  return { fetch: fetchOver((request) => transport.send(request)), folders: [], machineIdentity: false, ...of };
}

const source = (type: AwsType, endpoint: string): AwsSource => ({
  kind: 'aws',
  type,
  regions: [REGION],
  credentials: { accessKeyId: IDENTITY.accessKeyId, secretAccessKey: '${ secret.AWS }' },
  endpoint,
});

const reading = { scope: { secret: { AWS: IDENTITY.secretAccessKey } }, signal: new AbortController().signal };

type Listed = Record<string, Json>[];

test(
  'resources at AWS: instances, security groups, volumes and buckets as the account has them',
  { skip },
  async (t) => {
    const endpoint = await startMoto(t);
    const settings = { region: REGION, endpoint, credentials: IDENTITY };
    const machines = new ec2.EC2Client(settings);
    const buckets = new s3.S3Client({ ...settings, forcePathStyle: true });
    t.after(() => [machines, buckets].forEach((client) => client.destroy()));

    await machines.send(
      new ec2.RunInstancesCommand({
        ImageId: 'ami-12c6146b',
        MinCount: 2,
        MaxCount: 2,
        TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Owner', Value: 'ops' }] }],
      }),
    );
    const { GroupId } = await machines.send(
      new ec2.CreateSecurityGroupCommand({ GroupName: 'open', Description: 'open' }),
    );
    const IpPermissions = [{ IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: '0.0.0.0/0' }] }];
    await machines.send(new ec2.AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions }));
    const volume = { AvailabilityZone: `${REGION}a`, Size: 8 };
    await machines.send(new ec2.CreateVolumeCommand({ ...volume, Encrypted: true }));
    await machines.send(new ec2.CreateVolumeCommand(volume));
    const CreateBucketConfiguration = { LocationConstraint: REGION } as const;
    await buckets.send(new s3.CreateBucketCommand({ Bucket: 'kept', CreateBucketConfiguration }));
    await buckets.send(new s3.CreateBucketCommand({ Bucket: 'public', ACL: 'public-read', CreateBucketConfiguration }));
    await buckets.send(
      new s3.PutBucketVersioningCommand({ Bucket: 'kept', VersioningConfiguration: { Status: 'Enabled' } }),
    );
    const TagSet = [{ Key: 'Owner', Value: 'ops' }];
    await buckets.send(new s3.PutBucketTaggingCommand({ Bucket: 'kept', Tagging: { TagSet } }));

    const list = async (type: AwsType): Promise<Listed> =>
      (await listResources(source(type, endpoint), parts(t), reading)) as Listed;

    const instances = await list('ec2.instance');
    assert.equal(instances.length, 2);
    assert.deepEqual(
      instances.map(({ TagMap, Region }) => [TagMap, Region]),
      [
        [{ Owner: 'ops' }, REGION],
        [{ Owner: 'ops' }, REGION],
      ],
    );
    const open = (await list('ec2.security-group')).find((group) => group['GroupId'] === GroupId);
    assert.equal((open as { IpPermissions: { FromPort: number }[] }).IpPermissions[0]!.FromPort, 22);
    const volumes = await list('ec2.volume');
    assert.deepEqual(
      new Set(volumes.filter(({ State }) => State === 'available').map(({ Encrypted }) => Encrypted)),
      new Set([false, true]),
    );
    const found = await list('s3.bucket');
    assert.deepEqual(
      found.map(({ Name, Versioning, TagMap, Arn }) => ({ Name, Versioning, TagMap, Arn })),
      [
        { Name: 'kept', Versioning: 'Enabled', TagMap: { Owner: 'ops' }, Arn: 'arn:aws:s3:::kept' },
        { Name: 'public', Versioning: 'Off', TagMap: {}, Arn: 'arn:aws:s3:::public' },
      ],
    );
    const grants = JSON.stringify(found[1]!['Grants']);
    assert.match(grants, /AllUsers/);
  },
);

test("resources at AWS: the machine's own identity is the operator's to give", async (t) => {
  const own = { ...source('ec2.volume', 'http://127.0.0.1:9'), credentials: null };
  await assert.rejects(listResources(own, parts(t), reading), /the machine's own identity at AWS may not be used/);
});

test('resources at AWS: an account that does not answer is said in words', async (t) => {
  const nobody = source('ec2.volume', `http://127.0.0.1:${await freePort()}`);
  await assert.rejects(listResources(nobody, parts(t), reading), /AWS did not list ec2\.volume: /);
});
