import { describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deletionAccountOf } from '../src/config/destination.ts';
import { loadConfig, parseConfig, type Config } from '../src/config.ts';
import { ROOT } from './support/recorder-process.ts';

const parse = (raw: unknown): Config => parseConfig(raw, { source: 'test.yaml', folder: '/etc/sealtape' });

describe('the configuration', () => {
  test('without a file has the documented defaults', () => {
    expect(loadConfig(undefined, '/srv')).toMatchObject({
      dataDir: '/srv/data',
      installation: 'local',
      sip: { listen: ['udp://0.0.0.0:5060', 'tcp://0.0.0.0:5060'] },
      trunks: [{ name: 'loopback', from: ['127.0.0.0/8', '::1/128'], mode: 'compat' }],
      media: { ports: '20000-29999' },
      web: { listen: '127.0.0.1:8080' },
      timeZone: 'UTC',
      destinations: [
        {
          name: 'archive',
          kind: 'path',
          root: '/srv/data/archive',
          folder: '{yyyy}/{MM}/{dd}',
          makeRoot: true,
        },
      ],
    });
  });

  test('of the example file is valid and means the same as no file', () => {
    const { dataDir, ...example } = loadConfig(join(ROOT, 'deploy/config.example.yaml'), '/');
    const { dataDir: other, ...defaults } = loadConfig(undefined, join(ROOT, 'deploy'));
    expect(example).toEqual(defaults);
    expect(dataDir).toBe(other);
  });

  test('names every key in the example file', () => {
    // The example has every key of the schema, so dropping or adding one on either side is noticed.
    const config = loadConfig(join(ROOT, 'deploy/config.example.yaml'), '/');
    expect(Object.keys(config).sort()).toEqual([
      'announcements',
      'dataDir',
      'database',
      'destinations',
      'domain',
      'evidence',
      'fileName',
      'installation',
      'log',
      'mail',
      'media',
      'node',
      'redis',
      'retention',
      'sip',
      'spool',
      'stop',
      'timeZone',
      'traces',
      'trunks',
      'watch',
      'web',
    ]);
  });

  test('takes relative paths from the file, absolute ones as they are', () => {
    const config = parse({ dataDir: 'd', destinations: [{ name: 'nas', kind: 'path', root: '/mnt/nas' }] });
    expect(config.dataDir).toBe('/etc/sealtape/d');
    expect(config.destinations[0]?.root).toBe('/mnt/nas');
    const { sip } = parse({
      sip: { listen: ['tls://[::]:5061'], tls: { certificate: 'c.pem', key: '/k.pem' } },
    });
    expect(sip.tls).toMatchObject({
      certificate: '/etc/sealtape/c.pem',
      key: '/k.pem',
      minVersion: 'TLSv1.2',
    });
  });

  test('gives deletions an account of their own, in which nothing of the everyday one is left', () => {
    const config = parse({
      destinations: [
        {
          name: 'vault',
          kind: 'sftp',
          host: 'h',
          fingerprints: [`SHA256:${'A'.repeat(43)}`],
          user: 'daily',
          privateKeyFile: 'daily.key',
          passphrase: 'p',
          deletion: { user: 'deleter', passwordFile: 'deleter.password' },
        },
        { name: 'nas', kind: 'path', root: '/mnt/nas' },
      ],
    });
    const [vault, nas] = config.destinations.map(deletionAccountOf);
    expect(vault).toMatchObject({ host: 'h', user: 'deleter', parallel: 1 });
    expect(vault).toMatchObject({ passwordFile: '/etc/sealtape/deleter.password' });
    for (const key of ['privateKeyFile', 'passphrase', 'deletion']) expect(vault).not.toHaveProperty(key);
    expect(nas).toBeUndefined();
  });

  test.each<[string, unknown, string]>([
    [
      'an account for deletion without a secret',
      {
        destinations: [
          {
            name: 'w',
            kind: 's3',
            bucket: 'abc',
            accessKeyId: 'a',
            secretAccessKey: 'b',
            deletion: { accessKeyId: 'c' },
          },
        ],
      },
      'destinations[0].deletion: exactly one of secretAccessKey',
    ],
    [
      'an account for deletion at a folder',
      { destinations: [{ name: 'a', kind: 'path', root: 'x', deletion: {} }] },
      'Unrecognized key: "deletion"',
    ],
    ['a file name of two parts', { fileName: '{caller}_{callee}' }, 'three parts'],
    ['a file name with an unknown word', { fileName: '{yyyy}_{caller}_{callee}' }, '{yyyy} is not known'],
    ['a file name that makes folders', { fileName: 'a/b_{caller}_{callee}' }, 'names cannot have'],
    ['a misspelt key', { trunk: [] }, 'Unrecognized key: "trunk"'],
    ['a trunk from nowhere', { trunks: [{ name: 'a', from: ['x'] }] }, 'trunks[0].from[0]: not a network'],
    [
      'a prefix too long',
      { trunks: [{ name: 'a', from: ['10.0.0.0/33'] }] },
      'trunks[0].from[0]: not a network',
    ],
    [
      'a rule with a retention profile that does not exist',
      { rules: { rules: [{ id: 'a', record: true, retention: 'wphg-50y' }] } },
      'rules.rules[0].retention: not one of none, wphg-5y',
    ],
    [
      'a rule with a destination that does not exist',
      { rules: { rules: [{ id: 'a', record: true, destinations: ['archive', 'nas'] }] } },
      'rules.rules[0].destinations: nas is not one of archive',
    ],
    ['a transport we do not have', { sip: { listen: ['sctp://1.2.3.4:5060'] } }, 'sip.listen[0]: not udp://'],
    [
      'listen and drachtio',
      { sip: { listen: ['udp://0.0.0.0:5060'], drachtio: { host: 'h', port: 1, secret: 's' } } },
      'sip: listen and drachtio exclude',
    ],
    [
      'TLS without a certificate',
      { sip: { listen: ['tls://0.0.0.0:5061'] } },
      'sip.tls: a tls:// address needs tls with certificate and key',
    ],
    [
      'TLS older than 1.2',
      { sip: { tls: { certificate: 'c', key: 'k', minVersion: 'TLSv1.1' } } },
      'sip.tls.minVersion',
    ],
    [
      'certificates of ours with drachtio',
      { sip: { tls: { certificate: 'c', key: 'k' }, drachtio: { host: 'h', port: 1, secret: 's' } } },
      'sip.tls: a drachtio-server has its own certificates',
    ],
    [
      'a trunk that checks certificates of nobody',
      {
        sip: { tls: { certificate: 'c', key: 'k' } },
        trunks: [{ name: 'a', from: ['10.0.0.1'], tls: { names: ['sbc.example'] } }],
      },
      'trunks: a checks client certificates, which needs sip.tls with clientCa',
    ],
    [
      'a mail user without password',
      { mail: { host: 'smtp', from: 'a@b.example', to: ['c@d.example'], user: 'x' } },
      'mail.user: user needs a password or a passwordFile',
    ],
    ['mail to nobody', { mail: { host: 'smtp', from: 'a@b.example', to: [] } }, 'mail.to'],
    [
      'a fingerprint that is none',
      { trunks: [{ name: 'a', from: ['10.0.0.1'], tls: { fingerprints: ['AB:CD'] } }] },
      'trunks[0].tls.fingerprints[0]: not a SHA-256 fingerprint',
    ],
    ['a limit of nothing', { sip: { limits: { messagesPerSecond: 0 } } }, 'sip.limits.messagesPerSecond'],
    ['a range of no ports', { media: { ports: '30000-20000' } }, 'media.ports: not a range'],
    [
      'an unknown vendor',
      { trunks: [{ name: 'a', from: ['::1'], profile: 'acme' }] },
      'trunks[0].profile: not one of',
    ],
    [
      'a number pattern nobody can read',
      { trunks: [{ name: 'a', from: ['::1'], ownNumbers: ['?'] }] },
      'trunks[0].ownNumbers[0]: not a number',
    ],
    [
      'an unknown zone of a trunk',
      { trunks: [{ name: 'a', from: ['::1'], srcTimeZone: 'X' }] },
      'trunks[0].srcTimeZone',
    ],
    ['an unknown zone', { timeZone: 'Mars/Olympus' }, 'timeZone: not a time zone'],
    [
      'PostgreSQL without a connection',
      { database: { client: 'pg' } },
      'database.connection: client pg needs',
    ],
    [
      'two destinations of one name',
      {
        destinations: [
          { name: 'a', kind: 'path', root: 'x' },
          { name: 'a', kind: 'path', root: 'y' },
        ],
      },
      'the name a is used twice',
    ],
    ['a checkpoint too rare', { evidence: { checkpointSeconds: 3600 } }, 'evidence.checkpointSeconds'],
    [
      'a folder template with an unknown word',
      { destinations: [{ name: 'a', kind: 'path', root: 'x', folder: '{year}' }] },
      'destinations[0].folder',
    ],
  ])('refuses %s', (_name, raw, message) => {
    expect(() => parse(raw)).toThrow(message);
  });

  test('reports all faults at once', () => {
    const raw = { timeZone: 'x', media: { ports: 'y' }, trunks: [{ name: 'A', from: [] }] };
    expect(() => parse(raw)).toThrow(/trunks\[0\]\.name.*trunks\[0\]\.from.*media\.ports.*timeZone/s);
  });

  test.each([
    ['a file that is not there', undefined, 'NOT_READABLE', 'no such file'],
    ['a file that is not YAML', 'a: [', 'NOT_YAML', 'line 1'],
  ])('names %s', (_name, text, code, message) => {
    const folder = mkdtempSync(join(tmpdir(), 'sealtape-config-'));
    const file = join(folder, 'c.yaml');
    if (text !== undefined) writeFileSync(file, text);
    try {
      expect(() => loadConfig(file, '/')).toThrow(
        expect.objectContaining({ code, message: expect.stringContaining(message) }),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('takes lists of numbers from files, with comments, and names the lines that are none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sealtape-config-'));
    const list = join(folder, 'private.txt');
    const rules = { rules: [{ id: 'a', when: { number: ['110', { file: 'private.txt' }] }, record: false }] };
    const read = (): Config => parseConfig({ rules }, { source: 'c.yaml', folder });
    try {
      writeFileSync(list, '# of the works council\r\n+49170*\r\n\r\n// a feature code\n#31#\n10-99');
      expect(read().rules?.rules[0]?.when.number).toEqual(['110', '+49170*', '#31#', '10-99']);
      writeFileSync(list, '+49170*\nAnna\n10-99\n99-10');
      const message = 'c.yaml: rules: private.txt line 2: Anna is not a number, a pattern such as';
      expect(read).toThrow(
        expect.objectContaining({ code: 'INVALID', message: expect.stringContaining(message) }),
      );
      expect(read).toThrow(/private\.txt line 4: 99-10 is not/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
