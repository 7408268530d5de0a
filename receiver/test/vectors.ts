// Published values that every implementation must reproduce, each computed with two independent tools.
import type { Scheme } from '@bellwire/receiver';

export const privateKey =
  'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==';
export const publicKey = 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=';

interface SignatureVector {
  readonly scheme: Scheme;
  readonly secret: string;
  /** What the receiver of it is given. */
  readonly verifyWith: string;
  readonly id: string;
  readonly timestamp: number;
  readonly body: string;
  readonly signature: string;
}

/** Standard Webhooks, v1 and v1a. */
export const vectors: readonly SignatureVector[] = [
  {
    scheme: 'v1',
    secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    verifyWith: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: 1614265330,
    body: '{"test": 2432232314}',
    signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  },
  {
    scheme: 'v1',
    secret: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
    verifyWith: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
    id: 'msg_27UH4WbU6Z5A5EzD8u03UvzRbpk',
    timestamp: 1649367553,
    body: '{"email":"test@example.com","username":"test_user"}',
    signature: 'v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=',
  },
  {
    scheme: 'v1a',
    secret: privateKey,
    verifyWith: publicKey,
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: 1614265330,
    body: '{"test": 2432232314}',
    signature: 'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==',
  },
];

/** The challenge of the source document, as printed there. */
export const greenlakeBody =
  '{"data":{"challengeRequest":"8cbecfea-d708-4706-bba3-669225084a10"},"datacontenttype":"application/json","id":"9d2698f2-0dd4-4870-b026-7e18c755e121","source":"https://global.api.greenlake.hpe.com/events","specversion":"1.0","subject":"3009de2825f211ec8a84fedebcb4a754","time":"2024-12-12T19:09:05Z","type":"com.hpe.greenlake.events.v1beta1.webhooks.verification"}';

/** The HPE signature of {@link greenlakeBody}. */
export const hpeVector = {
  secret: 's3cr3tKey',
  signature: 'sha256=903ce156bc8657b01b0f7f1cb4f64bc032558e8da4cc5f74e19d226d56630305',
};

/** Secret, challenge, verification. */
export const challengeVectors: readonly (readonly [string, string, string])[] = [
  [
    's3cr3tKey',
    '8cbecfea-d708-4706-bba3-669225084a10',
    '085b6a2ea9034fa67de9bba59e667a0bf63c341e7d50ab8015567205cf736e3d',
  ],
  [
    'my-shared-secret',
    '8cbecfea-d708-4706-bba3-669225084a10',
    '02b73dec3cd2f63b9564935b94fb3532cd34ba71ecb751548f2eb477e909a053',
  ],
  [
    'MySecretKey',
    '8cbecfea-d708-4706-bba3-669225084a10',
    '6def4a65f9c5dc57430341d4df7f818eb6ddbba98132206bcffe46ef8119f851',
  ],
  [
    'ключ-Ωµ-🔑',
    '8cbecfea-d708-4706-bba3-669225084a10',
    'a092c14a3d39a3fcf594b70bcde4bc46af2c764ea13ec9ae8549dc432af1c282',
  ],
  ['a b c', '8cbecfea-d708-4706-bba3-669225084a10', '3cf26391ebc5de81389cc59c735a614ac96896c1fba83b65b0c8b18d94b20429'],
  [
    's3cr3tKey',
    '550e8400-e29b-41d4-a716-446655440000',
    '6de14a7ada9be456e74dcdb0ee5f0091c51fbfe1a7de6d1be05a87e66c706709',
  ],
];

/** The secret of the tests that need some secret. */
export const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/** The audit-log event of the source document, with the closing brace that its print lost. */
export const auditLogText =
  '{ "specversion": "1.0", "id": "uJoQ5JMB_HAPiq2sSllt", "source": "//global.api.greenlake.hpe.com/audit-log", "type": "com.hpe.greenlake.audit-log.v1.logs.created", "datacontenttype": "application/json", "dataschema": "https://developer.greenlake.hpe.com/docs/greenlake/services/audit-logs/public/catalog/audit-log-event-latest/paths/Audit%20Log%20Created/post/", "time": "2024-12-20T12:34:53.161Z", "data": { "id": "uJoQ5JMB_HAPiq2sSllt", "user": { "username": "john.doe@hpedev.io" }, "workspace": { "id": "3009de2825f211ec8a84fedebcb4a754", "workspace_name": null, "workspace_type": null }, "application": { "id": "00000000-0000-0000-0000-000000000000" }, "category": "user_management", "description": "User john.doe@hpedev.io logged out", "created_at": 1734698093161, "updated_at": 1734698093161, "additional_info": { "ip_address": "194.9.99.5", "account_name": "HPEDEV -GLCP- Hackshack", "ip_address_str": "1.1.1.1" }, "has_details": false } }';
