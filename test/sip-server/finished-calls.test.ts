import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { newCall, type RawPeer } from './raw-peer.ts';
import { SDP, startTestServer } from './test-server.ts';

const CALLS = 100;
const BEFORE = 20;
/** Far longer than all that a finished transaction may hold together, and than what else grows meanwhile. */
const PADDING = `${'a=x-padding:'.padEnd(200, 'x')}\r\n`.repeat(150);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heap(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

async function play(peer: RawPeer, calls: number): Promise<void> {
  for (let done = 0; done < calls; done++) {
    const call = newCall();
    await peer.setUp(call, { body: SDP + PADDING });
    await peer.hangUp(call);
  }
}

test('over UDP a finished call leaves its answers and no message for the 32 s that its transactions linger', async () => {
  const site = await startTestServer({ timers: {} });
  try {
    await site.application((srf) => {
      srf.invite((req, res) => {
        srf.createUAS(req, res, { localSdp: SDP }, (error) => {
          if (error !== null) throw new Error(String(error));
        });
      });
    });
    const peer = await site.open('udp');
    await play(peer, BEFORE);
    const before = heap();
    await play(peer, CALLS);
    expect(site.server.counters()).toMatchObject({ dialogs: 0, serverTransactions: 2 * (BEFORE + CALLS) });
    expect((heap() - before) / CALLS).toBeLessThan(PADDING.length);
  } finally {
    await site.close();
  }
});
