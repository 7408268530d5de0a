// The address guard against a second, independent judge, and against names that change their mind.
import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { BlockList } from 'node:net';
import fc from 'fast-check';
import { AddressRefused, createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { createResolve } from '../src/engine/transport/address-resolve.ts';
import { answered, failed, http, listen, makeTransport, post } from './transport-servers.ts';

// wire 6, as it stands there.
const SPECIAL_V4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 255.255.255.255/32';
const SPECIAL_V6 =
  '::/128 ::1/128 ::/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/32 2001:10::/28 2001:20::/28 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8';
// What ipaddr.js refuses beyond that: protocol assignments, and the anycast services of AS112 and AMT. Nobody's webhook.
const ALSO_REFUSED_V4 = '192.31.196.0/24 192.52.193.0/24 192.175.48.0/24';
const ALSO_REFUSED_V6 = '2001::/23 2620:4f:8000::/48';

const guard = createAddressGuard();

/** The second judge: node:net's BlockList, everything outside 2000::/3 refused, mapped addresses by the v4 inside. */
function isForbidden(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (mapped) return isForbidden(mapped[1]!);
  return address.includes(':') ? !global.check(address, 'ipv6') || v6.check(address, 'ipv6') : v4.check(address);
}

function blockList(ranges: string, family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const range of ranges.split(' ')) {
    const [address, bits] = range.split('/');
    list.addSubnet(address!, Number(bits), family);
  }
  return list;
}
const v4 = blockList(`${SPECIAL_V4} ${ALSO_REFUSED_V4}`, 'ipv4');
const v6 = blockList(`${SPECIAL_V6} ${ALSO_REFUSED_V6}`, 'ipv6');
const global = blockList('2000::/3', 'ipv6');

/** First and last of a range, and their neighbours outside. */
function edgesOf(range: string): string[] {
  const [address, bits] = range.split('/');
  const isV6 = range.includes(':');
  const width = isV6 ? 128n : 32n;
  const first = numberOf(address!);
  const last = first | ((1n << (width - BigInt(bits!))) - 1n);
  return [first - 1n, first, first + 1n, (first + last) / 2n, last - 1n, last, last + 1n]
    .filter((value) => value >= 0n && value < 1n << width)
    .map((value) => (isV6 ? textOfV6(value) : textOfV4(value)));
}

function numberOf(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [head, tail = ''] = address.split('::') as [string, string?];
  const [left, right] = [head, tail].map((part) => part.split(':').filter(Boolean)) as [string[], string[]];
  const groups = address.includes('::')
    ? [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right]
    : left;
  return groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}

function textOfV4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
}

function textOfV6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, n) => (value >> BigInt(16 * (7 - n))) & 0xffffn);
  return groups.map((group) => group.toString(16)).join(':');
}

test('wire 6: every special range and its neighbours, the same by two judges', () => {
  const ranges = `${SPECIAL_V4} ${SPECIAL_V6} ${ALSO_REFUSED_V4} ${ALSO_REFUSED_V6}`.split(' ');
  const addresses = ranges.flatMap(edgesOf);
  assert.ok(addresses.length > 240);
  for (const address of addresses) {
    assert.equal(guard.judge(address) !== null, isForbidden(address), `${address}: ${guard.judge(address)}`);
    if (address.includes('.')) {
      const mapped = `::ffff:${address}`;
      assert.equal(guard.judge(mapped) !== null, isForbidden(address), mapped);
    }
  }
});

test('wire 6: any address at all, the same by two judges', () => {
  const anyV6 = fc.oneof(
    fc.bigInt(0n, (1n << 128n) - 1n),
    fc.bigInt(0n, (1n << 125n) - 1n).map((value) => value | (1n << 125n)),
    fc.bigInt(0n, (1n << 48n) - 1n),
  );
  fc.assert(
    fc.property(
      fc.bigInt(0n, (1n << 32n) - 1n),
      (value) => (guard.judge(textOfV4(value)) !== null) === isForbidden(textOfV4(value)),
    ),
  );
  fc.assert(
    fc.property(anyV6, (value) => {
      const address = textOfV6(value);
      const inside = value >> 32n === 0xffffn ? `::ffff:${textOfV4(value & 0xffffffffn)}` : address;
      return (guard.judge(address) !== null) === isForbidden(inside);
    }),
  );
});

test('wire 6: special addresses in the spellings they come in', () => {
  const forbidden =
    '0.0.0.0 0.1.2.3 10.1.2.3 100.64.0.1 100.127.255.255 127.0.0.1 127.1.2.3 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 0:0:0:0:0:0:0:1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::FFFF:7F00:1 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 2001::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1::1 3fff::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 2a00:1450::1%eth0'.split(
      ' ',
    );
  for (const address of forbidden) assert.notEqual(guard.judge(address), null, address);
  for (const text of ['', 'localhost', '2130706433', '0177.0.0.1', '127.1', '[::1]', '1.2.3.4.5', ':::']) {
    assert.equal(guard.judge(text), 'not an IP address', text);
  }
  for (const address of '8.8.8.8 1.1.1.1 100.63.255.255 172.32.0.1 192.167.1.1 ::ffff:8.8.8.8 2606:4700::1 2A00:1450:4001::200e'.split(
    ' ',
  )) {
    assert.equal(guard.judge(address), null, address);
  }
});

test('the operator allows by CIDR, and what an address leads to is judged all the same', () => {
  const dev = createAddressGuard({ allow: ['127.0.0.0/8', '::1/128'] });
  assert.deepEqual(['127.9.9.9', '::1', '::ffff:127.0.0.1'].map(dev.judge), [null, null, null]);
  assert.deepEqual([dev.judge('10.0.0.1'), dev.judge('::2') === null], ['a private address', false]);
  const nat64 = createAddressGuard({ allow: ['64:ff9b::/96'] });
  assert.equal(nat64.judge('64:ff9b::8.8.8.8'), null);
  assert.equal(nat64.judge('64:ff9b::10.0.0.1'), 'a private address');
  assert.throws(() => createAddressGuard({ allow: ['127.0.0.1'] }), /"127\.0\.0\.1" is not a range of addresses/);
});

/** A name server on loopback: answers each question with the addresses the function gives, by record type. */
async function serveDns(t: TestContext, answer: (type: 'A' | 'AAAA', name: string) => number[][]): Promise<string> {
  const server = createSocket('udp4');
  server.on('message', (query, from) => {
    let end = 12;
    const labels: string[] = [];
    while (query[end] !== 0) {
      labels.push(query.toString('latin1', end + 1, end + 1 + query[end]!));
      end += 1 + query[end]!;
    }
    const type = query.readUInt16BE(end + 1);
    const records = type === 1 || type === 28 ? answer(type === 1 ? 'A' : 'AAAA', labels.join('.')) : [];
    const head = Buffer.from([query[0]!, query[1]!, 0x81, 0x80, 0, 1, 0, records.length, 0, 0, 0, 0]);
    // Name by pointer, class IN, no time to live: every resolution asks again.
    const tails = records.map((bytes) => Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, bytes.length, ...bytes]));
    server.send(Buffer.concat([head, query.subarray(12, end + 5), ...tails]), from.port, from.address);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `127.0.0.1:${server.address().port}`;
}

test('wire 6: a name is resolved to all its addresses, and refused when one of them is forbidden', async (t) => {
  const zone: Record<string, Record<string, number[][]>> = {
    'good.example.test': {
      A: [
        [8, 8, 8, 8],
        [1, 1, 1, 1],
      ],
      AAAA: [[0x26, 6, 0x47, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    },
    'mixed.example.test': {
      A: [
        [8, 8, 8, 8],
        [10, 0, 0, 7],
      ],
      AAAA: [],
    },
    'mapped.example.test': { A: [], AAAA: [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1]] },
  };
  const server = await serveDns(t, (type, name) => zone[name]?.[type] ?? []);
  const { resolve } = createAddressGuard({ resolve: createResolve({ servers: [server], system: false }) });
  assert.deepEqual(await resolve('good.example.test'), [
    { address: '8.8.8.8', family: 4 },
    { address: '1.1.1.1', family: 4 },
    { address: '2606:4700::1', family: 6 },
  ]);
  await assert.rejects(resolve('mixed.example.test'), (error: Error) => {
    assert.ok(error instanceof AddressRefused);
    assert.equal(error.message, 'mixed.example.test resolves to a private address, which the operator does not allow');
    assert.equal(error.address, '10.0.0.7');
    return true;
  });
  await assert.rejects(resolve('mapped.example.test'), AddressRefused);
  await assert.rejects(resolve('nothing.example.test'), { code: 'ENODATA' });
  await assert.rejects(resolve('127.0.0.1'), /127\.0\.0\.1 is a loopback address, which the operator does not allow/);
});

test('wire 6: a name that turns private at the second resolution is refused then (DNS rebinding)', async (t) => {
  const receiver = await listen(t, ({ socket }) => socket.end(http(200, 'ok', ['connection: close'])));
  let isRebound = false;
  const name = await serveDns(t, (type) => (type === 'A' ? [[127, 0, 0, isRebound ? 2 : 1]] : []));
  // The one address stands for a public one, so that the first connection stays on this machine.
  const guard = createAddressGuard({
    allow: ['127.0.0.1/32'],
    resolve: createResolve({ servers: [name], system: false }),
  });
  const transport = makeTransport(t, { guard });
  const request = post(`http://hooks.example.test:${receiver.port}/`);
  assert.equal(answered(await transport.send(request)).status, 200);
  isRebound = true;
  const outcome = failed(await transport.send(request));
  assert.equal(outcome.code, 'refused-address');
  assert.equal(outcome.message, 'hooks.example.test resolves to a loopback address, which the operator does not allow');
  assert.equal(receiver.requests.length, 1);
});

test('wire 6: IP literals are judged at every connect although no lookup is called for them', async (t) => {
  const receiver = await listen(t, ({ socket }) => socket.end(http(200)));
  const transport = makeTransport(t, { guard: createAddressGuard() });
  for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '0177.0.0.1', '[::1]', '[::ffff:127.0.0.1]', 'localhost']) {
    for (const scheme of ['http', 'https']) {
      const outcome = failed(await transport.send(post(`${scheme}://${host}:${receiver.port}/`)));
      assert.equal(outcome.code, 'refused-address', `${scheme}://${host}: ${outcome.message}`);
    }
  }
  assert.equal(receiver.requests.length, 0);
});

test('a name whose name servers hang fails in bounded time and is not handed to the system', async (t) => {
  const silent = createSocket('udp4');
  await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
  t.after(() => silent.close());
  const resolve = createResolve({ servers: [`127.0.0.1:${silent.address().port}`], timeoutMs: 50 });
  const transport = makeTransport(t, { guard: createAddressGuard({ resolve }) });
  const outcome = failed(await transport.send(post('https://hooks.example.test/')));
  assert.deepEqual([outcome.code, outcome.message], ['dns', 'the name servers of hooks.example.test do not answer']);
});

test('single labels are left to the system, the hosts file included', async () => {
  const { resolve } = createAddressGuard({ allow: ['127.0.0.0/8', '::1/128'] });
  const addresses = await resolve('localhost');
  assert.ok(addresses.some(({ address }) => address === '127.0.0.1' || address === '::1'));
});
