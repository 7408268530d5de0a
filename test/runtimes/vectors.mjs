// The receiver under whatever runs this: published vectors of signatures and challenges. Prints how many hold.
import { createPresetVerifier, sign, verificationOf, verify } from '@bellwire/receiver';
import known from './vectors.json' with { type: 'json' };

const bytes = (text) => new TextEncoder().encode(text);
let held = 0;

function hold(what, is, wanted) {
  if (JSON.stringify(is) !== JSON.stringify(wanted)) throw new Error(`${what}: ${JSON.stringify(is)}`);
  held++;
}

for (const [secret, challenge, verification] of known.challenges) {
  hold(`the challenge by ${secret}`, await verificationOf(secret, challenge), verification);
}

for (const { scheme, secret, verifyWith, id, timestamp, body, signature } of known.signatures) {
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signature };
  const message = { id, sentAt: timestamp * 1000, body: bytes(body) };
  hold(`signing ${scheme}`, await sign(message, [{ scheme, secret }]), headers);
  const options = { secret: verifyWith, now: () => timestamp * 1000 };
  const verdict = await verify({ headers: new Headers(headers), body: bytes(body) }, options);
  hold(`verifying ${scheme}`, verdict, { ok: true, schemes: [scheme], id });
}

const { secret, body, signature } = known.greenlake;
const headers = new Headers({ 'HPE-Webhook-Signature': signature });
hold('HPE', (await verify({ headers, body: bytes(body) }, { secret })).ok, true);
const changed = bytes(body.replace('8cbe', '8cbf'));
hold('HPE, changed', (await verify({ headers, body: changed }, { secret })).ok, false);

const github = createPresetVerifier({ preset: 'github', secret: "It's a Secret to Everybody" });
const sender = known.senders.find((one) => one.sender === 'github');
const request = { method: 'POST', headers: new Headers(sender.headers), body: bytes(sender.body) };
hold('GitHub', (await github(request)).kind, 'accepted');

console.log(`${held} vectors hold`);
