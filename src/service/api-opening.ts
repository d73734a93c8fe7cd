import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import type { Policy } from '../recorder/policy.ts';
import type { Recorder } from '../recorder/recorder.ts';
import { describeMessage } from '../siprec/describe-message.ts';
import type { Database } from '../store/database.ts';
import { PolicyQueries } from '../store/policy-queries.ts';
import { declinedRoutes } from '../web/api/declined-routes.ts';
import { exportRoutes } from '../web/api/export-routes.ts';
import { RecordingQueries } from '../store/recording-queries.ts';
import type { Archive } from './archive-opening.ts';
import { groupsRoutes } from '../web/api/groups-routes.ts';
import { rulesRoutes } from '../web/api/rules-routes.ts';
import { openAdminToken } from '../store/admin-token.ts';
import { adminTokenAuthentication } from '../web/api/authentication.ts';
import type { ApiOptions } from '../web/api/register.ts';
import type { ApiRoute } from '../web/api/route.ts';
import { systemRoutes } from '../web/api/system-routes.ts';
import type { HealthReport } from '../web/health.ts';

export interface ApiSources {
  readonly recorder: Recorder;
  readonly policy: Policy;
  readonly database: Database;
  readonly archive: Pick<Archive, 'line'>;
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
  const { policy, database } = sources;
  const decided = new PolicyQueries(database, `${installation}/${node}`);
  return [
    ...systemRoutes(sources),
    ...rulesRoutes(policy, decided, (message, trunk, at) =>
      describeMessage(message, settingsOf(config, trunk), at),
    ),
    ...groupsRoutes(policy, decided),
    ...declinedRoutes(decided),
    ...exportRoutes(() => sources.archive.line()?.handOver, new RecordingQueries(database)),
  ];
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
