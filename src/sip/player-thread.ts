import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { PlayerEngine } from './player-engine.ts';
import type { FromPlayer, PlayerCall, PlayerData, ToPlayer } from './player-messages.ts';

/** The thread of a `ThreadPlayer`: one engine, driven by messages. */
function serve(port: MessagePort, { ports }: PlayerData): void {
  const engine = new PlayerEngine(ports);
  const answer = (id: number, work: Promise<PlayerCall[keyof PlayerCall]['answer']>): void => {
    work.then(
      (value) => {
        port.postMessage({ id, answer: value } satisfies FromPlayer);
      },
      (error: unknown) => {
        port.postMessage({ id, error: (error as Error).message } satisfies FromPlayer);
      },
    );
  };
  port.on('message', (message: ToPlayer) => {
    switch (message.type) {
      case 'open':
        answer(message.id, engine.open(message.localAddress));
        return;
      case 'play':
        answer(message.id, engine.play(message.line, message.piece));
        return;
      case 'end':
        engine.closeAll();
        answer(message.id, Promise.resolve(undefined));
        return;
      case 'redirect':
        engine.redirect(message.line, message.way);
        return;
      case 'close':
        engine.close(message.line);
        return;
      default:
        message satisfies never;
    }
  });
}

if (parentPort !== null) serve(parentPort, workerData as PlayerData);
