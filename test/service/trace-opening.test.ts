import { expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '../../src/config.ts';
import { ShutdownList } from '../../src/service/shutdown-list.ts';
import { openTraces } from '../../src/service/trace-opening.ts';

test('messages left out are counted for the trunks and for strangers apart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'traces-'));
  const raw = {
    dataDir: 'data',
    trunks: [{ name: 'pbx', from: ['192.0.2.0/24'] }],
    traces: { callKilobytes: 10 },
  };
  const config = parseConfig(raw, { source: 'test', folder });
  const log = (): void => undefined;
  const closing = new ShutdownList(log);
  const traces = openTraces(config, log, closing);
  const text = `INVITE sip:a@b SIP/2.0\r\nCall-ID: greedy\r\n\r\n${'x'.repeat(4000)}`;
  for (const remote of ['192.0.2.7:5060', '198.51.100.1:5060', '198.51.100.1:5060', '198.51.100.1:5060'])
    traces.see({ direction: 'in', protocol: 'udp', remote, text });
  await closing.run();
  expect(traces.leftOut()).toEqual({ trunks: 0, strangers: 1 });
  await rm(folder, { recursive: true });
});
