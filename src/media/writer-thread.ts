import { writeSync } from 'node:fs';
import { NO_REASON, workForEver } from './disk-thread.ts';

/** Writes all of it; a write may take less than it was given. */
workForEver(({ fd, octets, position }) => {
  for (let done = 0; done < octets.length;) {
    const count = writeSync(fd, octets, done, octets.length - done, position + done);
    if (count === 0) return NO_REASON;
    done += count;
  }
  return 0;
});
