import { readFileSync } from 'node:fs';
import { ROOT } from './sip-caller.ts';

/** How `npm start` starts the recorder (deploy/bootstrap.sh), for `fork`. */
export const START_OPTIONS = {
  execArgv: readFileSync(new URL('deploy/node-options', ROOT), 'utf8').trim().split(/\s+/),
};
