/** Variants that take long are for `npm run test:long`. */
export const LONG = process.env['SEALTAPE_TEST_LONG'] !== undefined;
