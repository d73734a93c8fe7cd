const PURE = '^src/(siprec|rules|evidence)/';
const EDGES = '^src/(sip-server|sip|delivery|store|web|client)/';

/** The arrows of docs/architecture.md: main, cli -> edges -> middle -> core and pure. */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: { path: '^(src|verify-cli)/' }, to: { circular: true } },
    {
      name: 'pure-folders-do-no-io',
      severity: 'error',
      from: { path: PURE },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|buffer)$' },
    },
    {
      name: 'only-receivers-open-sockets',
      severity: 'error',
      from: { path: '^src/media/', pathNot: '^src/media/receiver/' },
      to: { path: '^(node:)?(dgram|net|tls|http|https)$|node_modules/koffi/' },
    },
    {
      name: 'pure-knows-only-pure',
      severity: 'error',
      from: { path: PURE },
      to: { path: '^src/', pathNot: PURE },
    },
    {
      name: 'media-stands-alone',
      severity: 'error',
      from: { path: '^src/media/' },
      to: { path: '^src/', pathNot: '^src/media/' },
    },
    {
      name: 'middle-never-imports-edges',
      severity: 'error',
      from: { path: '^src/(recorder|jobs)/' },
      to: {
        path: '^src/((sip-server|sip|delivery|store|web|client|service|commands|config)/|(main|cli)\\.ts$)',
      },
    },
    {
      name: 'recorder-does-not-know-jobs',
      severity: 'error',
      from: { path: '^src/recorder/' },
      to: { path: '^src/jobs/' },
    },
    {
      name: 'edges-do-not-know-each-other',
      severity: 'error',
      from: { path: '^src/(sip-server|sip|delivery|store|web|client)/' },
      to: { path: EDGES, pathNot: '^src/$1/' },
    },
    {
      name: 'nobody-imports-the-wiring',
      severity: 'error',
      from: { pathNot: '^(src/(main|cli)\\.ts|src/(service|commands)/|test/)' },
      to: { path: '^src/((main|cli)\\.ts$|(service|commands)/)' },
    },
    {
      name: 'sip-server-stands-alone',
      severity: 'error',
      from: { path: '^src/sip-server/' },
      to: { path: '^src/', pathNot: '^src/sip-server/' },
    },
    {
      name: 'verifier-sees-only-evidence',
      severity: 'error',
      from: { path: '^verify-cli/' },
      to: { path: '^(src|node_modules)/', pathNot: '^src/evidence/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
