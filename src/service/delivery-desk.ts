import type { LogStore } from '../jobs/ports.ts';
import type { DeliveryWatchStore } from '../jobs/watch-deliveries.ts';
import type { DeliveryDesk } from '../web/api/deliveries-routes.ts';

export interface DeliveryDeskParts {
  readonly watch: Pick<DeliveryWatchStore, 'standings' | 'askAnew'>;
  readonly log: Pick<LogStore, 'openDeliveries'>;
  /** Looks soon for what is still to be done. */
  readonly wake: () => void;
}

/** Shows people what has not arrived, and has it tried again when they say so. */
export const openDeliveryDesk = ({ watch, log, wake }: DeliveryDeskParts): DeliveryDesk => ({
  standings: () => watch.standings(),
  open: () => log.openDeliveries(),
  retry: async (which) => {
    const asked = await watch.askAnew({ ...which, permanent: true });
    if (asked > 0) wake();
    return asked;
  },
});
