import type { Applications } from './application.ts';
import type { ClientTransactions } from './client-transactions.ts';
import type { Dialogs } from './dialogs.ts';
import type { Network } from './network.ts';
import type { ServerTransactions } from './server-transactions.ts';
import type { Shared } from './shared.ts';

/** The whole state of the SIP side. */
export interface Core extends Shared {
  readonly network: Network;
  readonly applications: Applications;
  readonly serverTransactions: ServerTransactions;
  readonly clientTransactions: ClientTransactions;
  readonly dialogs: Dialogs;
}
