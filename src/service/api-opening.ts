import { namesForRules, type Config } from '../config.ts';
import type { Log } from '../log.ts';
import type { Announcements } from '../recorder/announcements.ts';
import type { Policy } from '../recorder/policy.ts';
import type { Recorder } from '../recorder/recorder.ts';
import { describeMessage } from '../siprec/describe-message.ts';
import type { Database } from '../store/database.ts';
import { SqlDeliveryWatch } from '../store/delivery-watch.ts';
import { SqlLogStore } from '../store/log-store.ts';
import { PolicyQueries } from '../store/policy-queries.ts';
import { SqlRetentionStore } from '../store/retention-store.ts';
import { declinedRoutes } from '../web/api/declined-routes.ts';
import { deliveriesRoutes } from '../web/api/deliveries-routes.ts';
import { exportRoutes } from '../web/api/export-routes.ts';
import { RecordingQueries } from '../store/recording-queries.ts';
import { linkWithin } from './announcement-links.ts';
import { announcementApi } from './announcements-opening.ts';
import type { Archive } from './archive-opening.ts';
import type { ClockConfirmation } from './clock-confirmation.ts';
import { openDeliveryDesk } from './delivery-desk.ts';
import type { Ground } from './ground.ts';
import { openRecordingFiles } from './recording-access.ts';
import { openRetentionDesk } from './retention-desk.ts';
import type { RetentionRuns } from './retention-keeper.ts';
import { groupsRoutes } from '../web/api/groups-routes.ts';
import { recordingsRoutes } from '../web/api/recordings-routes.ts';
import { retentionRoutes, type RetentionDesk } from '../web/api/retention-routes.ts';
import { keysRoutes } from '../web/api/keys-routes.ts';
import { KeyKeeper } from './key-keeper.ts';
import { lostKeys } from './keys.ts';
import type { KeysAtHand } from './keys-at-hand.ts';
import { runningRoutes } from '../web/api/running-routes.ts';
import { rulesRoutes } from '../web/api/rules-routes.ts';
import { openAdminToken } from '../store/admin-token.ts';
import { adminTokenAuthentication } from '../web/api/authentication.ts';
import type { ApiOptions } from '../web/api/register.ts';
import type { ApiRoute } from '../web/api/route.ts';
import { stepsRoutes } from '../web/api/steps-routes.ts';
import { systemRoutes } from '../web/api/system-routes.ts';
import type { HealthReport } from '../web/health.ts';

export interface ApiSources {
  readonly recorder: Recorder;
  readonly policy: Policy;
  readonly announcements: Announcements;
  readonly database: Database;
  readonly archive: Pick<Archive, 'line'>;
  readonly clock: ClockConfirmation;
  readonly retentionRuns: RetentionRuns;
  readonly ground: Pick<Ground, 'spool'>;
  readonly keys: KeysAtHand;
  readonly software: string;
  readonly health: () => Promise<HealthReport>;
  readonly log: Log;
}

/** Opens the API: its token and every route there is. Rejects with StoreError when the token's file is damaged. */
export async function openApi(config: Config, sources: ApiSources): Promise<Omit<ApiOptions, 'software'>> {
  const token = await openAdminToken(config.dataDir);
  return {
    routes: routesOf(config, sources),
    authenticate: adminTokenAuthentication(token),
    logStep: (step) => sources.recorder.state({ type: 'acted', ...step }),
  };
}

/** One line a file of routes, in the order in which the document shows them. */
function routesOf(config: Config, sources: ApiSources): readonly ApiRoute[] {
  const { installation, node } = config;
  const { policy, announcements, database, archive, ground } = sources;
  const log = { node: `${installation}/${node}` };
  const decided = new PolicyQueries(database, log.node);
  const queries = new RecordingQueries(database, linkWithin(config));
  return [
    ...systemRoutes(sources),
    ...stepsRoutes(decided),
    ...rulesRoutes(
      policy,
      decided,
      (message, trunk, at) => describeMessage(message, settingsOf(config, trunk), at),
      {
        ...namesForRules(config),
        trunks: config.trunks.map(({ name }) => name),
        get announcements() {
          return announcements.names;
        },
      },
    ),
    ...groupsRoutes(policy, decided),
    ...announcementApi(config, announcements, policy),
    ...runningRoutes(sources.recorder),
    ...declinedRoutes(decided),
    ...recordingsRoutes(
      queries,
      openRecordingFiles({ ...sources, store: new SqlLogStore(database, log), files: ground.spool }),
    ),
    ...exportRoutes(() => archive.line()?.handOver, queries),
    ...retentionRoutes(() => retentionDesk(config, sources), queries),
    ...deliveriesRoutes(
      openDeliveryDesk({
        watch: new SqlDeliveryWatch(database, log),
        log: new SqlLogStore(database, log),
        retry: (destination) => archive.line()?.retryDeliveries(destination),
      }),
    ),
    ...keysRoutes(new KeyKeeper(sources.keys, () => sources.archive.line(), lostKeys(config))),
  ];
}

/** Undefined until the database has answered for the first time. */
function retentionDesk(
  { installation, node, timeZone }: Config,
  { archive, clock, retentionRuns: runs, database, ground }: ApiSources,
): RetentionDesk | undefined {
  const line = archive.line();
  if (line === undefined) return undefined;
  const log = { node: `${installation}/${node}` };
  return openRetentionDesk({
    deps: {
      store: new SqlRetentionStore(database, log),
      log: new SqlLogStore(database, log),
      evidence: line.evidence,
      destinations: line.destinations,
      files: ground.spool,
      now: Date.now,
    },
    timeZone,
    clock,
    runs,
    publish: () => {
      line.publish();
    },
  });
}

/** What a trunk is configured with that decides how its calls are read. */
function settingsOf({ trunks }: Config, name: string): Parameters<typeof describeMessage>[1] {
  const { profile, ownNumbers, srcTimeZone } = trunks.find((trunk) => trunk.name === name) ?? {};
  return {
    ...(profile === undefined ? {} : { profile }),
    ...(ownNumbers === undefined ? {} : { ownNumbers }),
    ...(srcTimeZone === undefined ? {} : { srcTimeZone }),
  };
}
