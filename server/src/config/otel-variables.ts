// The environment variables that OpenTelemetry gives every program, as far as they are settings of this one. Pure.
//
// They are often set for all programs of a machine. So what is not for us (another protocol, a sampler we do not have) is
// passed over, where a variable of our own would be refused.

/** A setting that such a variable gives. */
export interface OtelSetting {
  path: string;
  raw: unknown;
  variable: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** The settings they give; a variable of our own for the same setting stands above them. */
export function readOtelVariables(env: Variables): OtelSetting[] {
  const found: OtelSetting[] = [];
  const take = (path: string, variable: string, raw: unknown = env[variable]): void => {
    if (isSet(env[variable])) found.push({ path, raw, variable });
  };
  if (isForUs(env)) {
    if (isSet(env[TRACES_ENDPOINT])) take('tracing.endpoint', TRACES_ENDPOINT);
    else take('tracing.endpoint', ENDPOINT, `${env[ENDPOINT]?.replace(/\/+$/, '')}/v1/traces`);
  }
  take('tracing.headers', isSet(env[TRACES_HEADERS]) ? TRACES_HEADERS : 'OTEL_EXPORTER_OTLP_HEADERS');
  take('tracing.service', 'OTEL_SERVICE_NAME');
  take('tracing.attributes', 'OTEL_RESOURCE_ATTRIBUTES');
  const share = shareOf(env);
  if (share !== undefined) take('tracing.sample', 'OTEL_TRACES_SAMPLER', share);
  return found;
}

const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT';
const TRACES_ENDPOINT = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
const TRACES_HEADERS = 'OTEL_EXPORTER_OTLP_TRACES_HEADERS';

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

// What is meant for gRPC listens on another port.
function isForUs(env: Variables): boolean {
  const exporter = env['OTEL_TRACES_EXPORTER'];
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || (isSet(exporter) && exporter !== 'otlp')) return false;
  const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] ?? env['OTEL_EXPORTER_OTLP_PROTOCOL'];
  return !isSet(protocol) || protocol.startsWith('http/');
}

// Who continues a trace always goes by its flag here, so with and without `parentbased_` mean the same.
function shareOf(env: Variables): string | undefined {
  switch (env['OTEL_TRACES_SAMPLER']?.replace(/^parentbased_/, '')) {
    case 'always_on':
      return '1';
    case 'always_off':
      return '0';
    case 'traceidratio':
      return env['OTEL_TRACES_SAMPLER_ARG'] || '1';
    default:
      return undefined;
  }
}
