// What ends us: a signal, or the end of the npm above us.

/** Read at once: a parent that ends before we look must be noticed too. */
const parent = process.ppid;

/**
 * Calls `stop` with the name of the signal whenever this program is asked to end, until the returned function is
 * called. Below npm a SIGTERM reaches only npm or its shell: their end is seen by our parent's pid, and is ours.
 */
export function whenStopped(stop) {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, stop);
  let watch;
  if (process.env.npm_execpath && process.platform !== 'win32') watch = setInterval(look, 500).unref();
  function look() {
    if (process.ppid === parent) return;
    clearInterval(watch);
    stop('SIGTERM');
  }
  return () => {
    clearInterval(watch);
    for (const signal of signals) process.removeListener(signal, stop);
  };
}
