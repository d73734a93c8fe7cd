import type { LogStore } from '../jobs/ports.ts';
import type { DeliveryWatchStore } from '../jobs/watch-deliveries.ts';
import type { DeliveryDesk } from '../web/api/deliveries-routes.ts';

export interface DeliveryDeskParts {
  readonly watch: Pick<DeliveryWatchStore, 'standings' | 'askAnew'>;
  readonly log: Pick<LogStore, 'openDeliveries'>;
  /** Tries a destination, or all, again at once. */
  readonly retry: (destination: string | undefined) => void;
}

/** Shows people what has not arrived, and has it tried again when they say so. */
export const openDeliveryDesk = ({ watch, log, retry }: DeliveryDeskParts): DeliveryDesk => ({
  standings: () => watch.standings(),
  open: () => log.openDeliveries(),
  retry: async (which) => {
    const asked = await watch.askAnew(which);
    if (asked > 0) retry(which.destination);
    return asked;
  },
});
