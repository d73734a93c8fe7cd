import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { ConfigError, loadConfig, type Config } from './config.ts';
import { openLog, openTerminalLog, type Log } from './log.ts';
import type { Service } from './service/service.ts';
import { VERSION } from './version.ts';

const USAGE = `npm start [-- --config FILE] [-- --check-config]
  --config FILE    YAML; every key is explained in deploy/config.example.yaml
  --check-config   only check the configuration`;

/** An orderly stop takes no longer than this. */
const STOP_WITHIN = 28_000;

/** A Ctrl-C reaches a recorder under npm twice, from the terminal and from npm: signals this close (milliseconds) are one. */
const ONE_SIGNAL = 500;

// An ordinary object instead of the process's own, which asks the C library at every look: drachtio-srf looks for every header it reads.
process.env = { ...process.env };
// What deploy/node-options gives the main thread for new objects would also count for each other thread, over the limit it has of its own.
setFlagsFromString('--max-semi-space-size=0');
process.exitCode = await main();

async function main(): Promise<number | undefined> {
  let config: Config;
  let checkOnly: boolean;
  try {
    const { values } = parseArgs({
      options: {
        config: { type: 'string' },
        'check-config': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
      },
    });
    if (values.help) return say(USAGE);
    if (values.version) return say(VERSION);
    config = loadConfig(values.config, process.cwd());
    checkOnly = values['check-config'];
  } catch (error) {
    const known = error instanceof ConfigError;
    console.error(known ? error.message : `${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  if (checkOnly) return say('The configuration is valid.');
  return run(config);
}

function say(text: string): 0 {
  console.log(text);
  return 0;
}

async function run(config: Config): Promise<number | undefined> {
  const log = process.stderr.isTTY
    ? openTerminalLog(config.log.level, (line) => process.stderr.write(line))
    : openLog(config.log.level);
  let starting: Promise<Service> | undefined;
  let stoppingSince = 0;
  const stop = (signal: string): void => {
    // A second signal does not wait; the next start recovers.
    if (stoppingSince > 0) {
      if (performance.now() - stoppingSince > ONE_SIGNAL) process.exit(130);
      return;
    }
    stoppingSince = performance.now();
    console.log(`Sealtape is stopping (${signal}): running recordings are closed, sealed and delivered.`);
    setTimeout(() => process.exit(1), STOP_WITHIN + 1500).unref();
    // A stop that comes during the start waits for it, so that nothing it opened is left behind.
    void Promise.resolve(starting)
      .then((service) => service?.stop(Date.now() + STOP_WITHIN))
      .then(
        () => process.exit(0),
        (error: unknown) => {
          log('error', 'the stop was not orderly', { error: String(error) });
          process.exit(1);
        },
      );
  };
  // A terminal or pipe that is gone takes no more lines; that must neither end calls nor be logged, which would go the same way.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // The terminal was closed.
  process.on('SIGHUP', stop);
  // A programming mistake in one call must not end the others; it is loud in the log instead.
  process.on('uncaughtException', (error) => {
    log('error', 'uncaught', { error: error.stack });
  });
  process.on('unhandledRejection', (reason) => {
    log('error', 'unhandled', { error: reason instanceof Error ? reason.stack : String(reason) });
  });
  try {
    starting = start(config, log);
    for (const line of (await starting).banner) console.log(line);
  } catch (error) {
    console.error(`sealtape: ${explain(error)}`);
    process.exit(1);
  }
  return undefined;
}

/** Loaded only now: who asks for the version, or has the configuration checked, need not wait for all of it. */
async function start(config: Config, log: Log): Promise<Service> {
  const { startService } = await import('./service/service.ts');
  return startService(config, { log, atStep: crashAtStep(process.env['SEALTAPE_TEST_CRASH_AT']) });
}

/** For crash tests: dies as in a power cut when a seal reaches the step. */
function crashAtStep(step: string | undefined): ((reached: string) => void) | undefined {
  if (step === undefined) return undefined;
  return (reached) => {
    if (reached === step) process.kill(process.pid, 'SIGKILL');
  };
}

/** Errors with a code are for people and say what to do; anything else is a fault of ours and comes whole. */
function explain(error: unknown): string {
  const { code, message, stack } = error as { code?: unknown; message?: string; stack?: string };
  return typeof code === 'string' ? (message ?? code) : (stack ?? String(error));
}
