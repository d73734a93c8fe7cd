import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../recorder/recorder.ts';
import { openAdminToken } from '../store/admin-token.ts';
import { adminTokenAuthentication } from '../web/api/authentication.ts';
import type { ApiOptions } from '../web/api/register.ts';
import type { ApiRoute } from '../web/api/route.ts';
import { systemRoutes } from '../web/api/system-routes.ts';
import type { HealthReport } from '../web/health.ts';

export interface ApiSources {
  readonly recorder: Recorder;
  readonly software: string;
  readonly health: () => Promise<HealthReport>;
  readonly log: Log;
}

/** Opens the API: its token and every route there is. Rejects with StoreError when the token's file is damaged. */
export async function openApi(config: Config, sources: ApiSources): Promise<Omit<ApiOptions, 'software'>> {
  const token = await openAdminToken(config.dataDir);
  return {
    routes: routesOf(sources),
    authenticate: adminTokenAuthentication(token),
    logStep: (step) => sources.recorder.act(step),
  };
}

/** One line a file of routes, in the order in which the document shows them. */
const routesOf = (sources: ApiSources): readonly ApiRoute[] => [...systemRoutes(sources)];
