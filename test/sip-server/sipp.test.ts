import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SDP, startTestServer, until, type TestServer } from './test-server.ts';

const SCENARIO = resolve('test/sip-server/sipp/call.xml');
const CALLS = 100;

describe('SIPp', () => {
  let site: TestServer;
  let folder: string;
  let answered: number;
  let destroyed: number;

  beforeEach(async () => {
    answered = 0;
    destroyed = 0;
    folder = await mkdtemp(join(tmpdir(), 'sipp-'));
    // Timers near the real ones: SIPp's own repetitions must meet a transaction that still lives.
    site = await startTestServer({ timers: { t1: 100, t2: 800, t4: 500 } });
    await site.application((srf) => {
      srf.invite((req, res) => {
        srf.createUAS(req, res, { localSdp: SDP }, (error, dialog) => {
          if (error !== null) return;
          answered += 1;
          dialog.on('destroy', () => (destroyed += 1));
        });
      });
    });
  });

  afterEach(async () => {
    await site.close();
    await rm(folder, { recursive: true });
  });

  /** Runs the scenario and returns SIPp's exit code: 0 when every call went through. */
  function sipp(protocol: 'udp' | 'tcp', family: 4 | 6, extra: readonly string[]): Promise<number | null> {
    const at = site.server.addresses.find(
      (each) => each.protocol === protocol && each.address.includes(':') === (family === 6),
    );
    const port = at?.port ?? 0;
    const [here, target] = family === 6 ? ['::1', `[::1]:${port}`] : ['127.0.0.1', `127.0.0.1:${port}`];
    const transport = protocol === 'udp' ? 'u1' : 't1';
    const limits = ['-m', String(CALLS), '-r', '100', '-timeout', '20', '-timeout_error', '-nostdin'];
    const child = spawn('sipp', ['-sf', SCENARIO, '-i', here, '-t', transport, ...limits, ...extra, target], {
      cwd: folder,
      stdio: 'ignore',
    });
    return new Promise((done, reject) => {
      child.once('error', reject);
      child.once('exit', done);
    });
  }

  test.each([
    ['udp', 4, []],
    ['tcp', 4, []],
    ['udp', 6, []],
    ['tcp', 6, []],
    ['udp', 4, ['-lost', '10']],
  ] as const)('sets up and ends 100 calls over %s on IPv%i %j', async (protocol, family, extra) => {
    expect(await sipp(protocol, family, extra)).toBe(0);
    expect(answered).toBe(CALLS);
    await until(() => destroyed === CALLS);
    expect(site.server.counters()).toMatchObject({ dialogs: 0, malformed: 0 });
    if (extra.length > 0) expect(site.server.counters().retransmissions).toBeGreaterThan(0);
    expect(site.logged.filter((each) => each.level === 'error')).toEqual([]);
  });
});
