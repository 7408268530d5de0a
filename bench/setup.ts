// Sets the measured platform up over its API: one type, so many webhooks, all subscribed.

/** What the benchmark asks of the API. */
export function createClient(url: string, key: string): { subscribe(fanout: number, target: string): Promise<void> } {
  const call = async (method: string, path: string, body: object): Promise<Record<string, unknown>> => {
    const answer = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  };
  return {
    subscribe: async (fanout, target) => {
      await call('POST', '/v1/services', { service: 'bench' });
      await call('PUT', '/v1/event-types/com.example.bench.v1', {
        service: 'bench',
        description: 'An event of about 1 KB.',
      });
      for (let n = 1; n <= fanout; n++) {
        const { id } = await call('POST', '/v1/webhooks', {
          name: `bench ${n}`,
          url: `${target}${n}`,
          verification: 'none',
        });
        await call('POST', '/v1/subscriptions', { webhook: id, type: 'com.example.bench.v1' });
      }
    },
  };
}
