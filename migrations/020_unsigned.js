// @ts-check

/**
 * Recordings that were made while nothing could be signed: since when the keys were missing.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.alterTable('recordings', (table) => {
    table.double('keys_missing_since');
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.alterTable('recordings', (table) => {
    table.dropColumn('keys_missing_since');
  });
}
