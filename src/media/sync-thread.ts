import { closeSync, constants, fdatasyncSync, fsyncSync, openSync } from 'node:fs';
import { workForEver } from './disk-thread.ts';
import { namedIn } from './folder-names.ts';

/** Brings a file to the disk, and behind it the folders whose names lie beside it. */
workForEver(({ fd, octets }) => {
  fdatasyncSync(fd);
  for (const folder of namedIn(octets)) {
    const handle = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  }
  return 0;
});
