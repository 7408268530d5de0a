// Which rows of `webhooks` are webhooks: post-processings and flows are targets, too, and have their other half there.

/** The condition. Nobody who asks for webhooks, or counts them, sees the others. */
export const IS_WEBHOOK = `mode IN ('push', 'pull', 'listen')`;
