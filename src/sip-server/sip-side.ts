import type { Application, Applications, Reply } from './application.ts';
import { refusal } from './application.ts';
import { ApplicationAnswers } from './application-answers.ts';
import { ClientTransactions } from './client-transactions.ts';
import type { Core } from './core.ts';
import { DialogRequests } from './dialog-requests.ts';
import { DialogCommands } from './dialog-commands.ts';
import { Dialogs } from './dialogs.ts';
import type { Flow } from './flow.ts';
import { Inbound } from './inbound.ts';
import { guarded } from './log.ts';
import { parseMessage, type SipMessage } from './message.ts';
import type { Tally } from './counters.ts';
import { Network, type NetworkEvents } from './network.ts';
import { OutOfDialog } from './out-of-dialog.ts';
import { restoreDialog, type LeftDialog } from './restored-dialogs.ts';
import { Sender } from './sender.ts';
import { ServerTransactions } from './server-transactions.ts';
import type { Shared } from './shared.ts';
import { agreedByPeer } from './session-interval.ts';
import { SessionKeeper } from './session-keeper.ts';
import { SipServerError } from './sip-server-error.ts';
import type { TlsFiles } from './tls-files.ts';
import { Uas } from './uas.ts';
import { uriHost } from './uri.ts';

/** The SIP half of the server: sockets, transactions and dialogs, driven by the network and by applications. */
export class SipSide {
  readonly core: Core;
  readonly #uas: Uas;
  readonly #dialogCommands: DialogCommands;
  readonly #outOfDialog: OutOfDialog;
  readonly #answers: ApplicationAnswers;
  readonly #sessions: SessionKeeper;
  readonly #seen: Shared['seen'];

  constructor(shared: Shared, applications: Applications, tls: TlsFiles | undefined) {
    const { limits, timers, log, tally } = shared;
    this.#seen = shared.seen;
    const network = new Network({
      limits,
      timers,
      log,
      tls,
      events: {
        message: (text, flow) => {
          this.#see('in', text, flow);
          inbound.message(text, flow);
        },
        sent: (text, flow) => {
          this.#see('out', text, flow);
        },
        malformed: (flow, head) => {
          inbound.malformed(head ?? '', flow, 413);
        },
        closed: (flow) => {
          for (const each of this.core.clientTransactions.on(flow)) each.unreachable();
        },
        ...counting(tally),
      },
    });
    this.core = {
      ...shared,
      network,
      applications,
      serverTransactions: new ServerTransactions(shared.limits.finishedTransactions),
      clientTransactions: new ClientTransactions(),
      dialogs: new Dialogs(),
    };
    const sender = new Sender(this.core, (dialog, response) => {
      sessions.agreed(dialog, agreedByPeer(response));
    });
    this.#dialogCommands = new DialogCommands(this.core, sender);
    const sessions = new SessionKeeper(this.core, this.#dialogCommands);
    this.#sessions = sessions;
    this.#outOfDialog = new OutOfDialog(this.core, sender);
    this.#uas = new Uas(this.core, (incoming, dialog) => {
      dialogRequests.handle(incoming, dialog);
    });
    const dialogRequests = new DialogRequests(this.core, this.#uas);
    const inbound = new Inbound(this.core, this.#uas, sender);
    this.#answers = new ApplicationAnswers(this.core, {
      ackTimeout: (dialog) => {
        this.#dialogCommands.end(dialog, 'ACK timeout');
      },
      agreed: (dialog, interval) => {
        sessions.agreed(dialog, interval);
      },
    });
  }

  /** One `sip` message of an application: `tokens` behind the kind, and the SIP part (drachtio-protocol.md section 2). */
  command(
    application: Application,
    tokens: readonly string[],
    part: string,
    reply: (reply: Reply) => void,
  ): void {
    const [txnId = '', dialogId = '', proxy = ''] = tokens;
    const message = readPart(part);
    if (message === undefined) reply(refusal(`invalid request-uri: ${part.split('\r\n', 1)[0] ?? ''}`));
    else if (message.kind === 'response') reply(this.#answers.respond(application, txnId, message));
    else {
      const command = { application, request: message, reply };
      if (message.method === 'CANCEL') this.#dialogCommands.cancel(command, txnId);
      else if (dialogId !== '') this.#dialogCommands.send(command, dialogId);
      else this.#outOfDialog.send(command, proxy === '' ? undefined : proxy);
    }
  }

  /** Puts back the dialogs of a process before; returns how many. */
  restore(dialogs: readonly LeftDialog[]): number {
    return dialogs.filter((left) =>
      restoreDialog(this.core, left, (dialog, interval) => {
        this.#sessions.agreed(dialog, interval);
      }),
    ).length;
  }

  /** Whoever keeps traces must not be able to disturb a call. */
  #see(direction: 'in' | 'out', text: string, { protocol, remote }: Flow): void {
    if (this.#seen === undefined) return;
    const seen = { direction, protocol, remote: `${uriHost(remote.address)}:${remote.port}`, text } as const;
    guarded(this.core.log, 'trace', () => this.#seen?.(seen));
  }

  /**
   * Nobody is left to answer these requests. Confirmed dialogs stay for whoever comes next: an application that only lost its connection
   * still records their calls. A drachtio-server forgets them (drachtio-protocol.md section 7).
   */
  applicationLost(application: Application): void {
    const { serverTransactions, dialogs } = this.core;
    for (const transaction of serverTransactions.pendingOf(application))
      this.#uas.answer(
        transaction,
        transaction.method !== 'INVITE' && transaction.dialog !== undefined ? 481 : 500,
      );
    for (const dialog of dialogs.of(application)) if (!dialog.confirmed) dialogs.remove(dialog);
    setTimeout(() => {
      for (const dialog of dialogs.of(application)) dialogs.remove(dialog);
    }, this.core.timers.orphan).unref();
  }

  /** Tells an application that takes INVITEs which calls ended while nobody was there. */
  applicationReady(application: Application, verb: string): void {
    if (verb === 'invite')
      for (const delivery of this.core.dialogs.takeFarewells()) application.deliver(delivery);
  }

  async close(): Promise<void> {
    const { serverTransactions, clientTransactions, dialogs, network } = this.core;
    serverTransactions.clear();
    clientTransactions.clear();
    dialogs.clear();
    await network.close();
  }
}

const counting = (tally: Tally): Pick<NetworkEvents, 'ignored' | 'refused' | 'handshakeFailed'> => ({
  ignored: () => {
    tally.dropped += 1;
  },
  refused: () => {
    tally.refusedConnections += 1;
  },
  handshakeFailed: () => {
    tally.failedHandshakes += 1;
  },
});

function readPart(part: string): SipMessage | undefined {
  try {
    return parseMessage(part, Number.MAX_SAFE_INTEGER);
  } catch (error) {
    if (error instanceof SipServerError) return undefined;
    throw error;
  }
}
