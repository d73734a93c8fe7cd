// @ts-check

/**
 * Ids of the call that other recordings of the same call carry too (UCID, global call id, session, group): recordings are linked by
 * them, never merged.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.createTable('recording_links', (table) => {
    table.text('recording').notNullable().references('recordings.id').onDelete('CASCADE');
    table.text('kind').notNullable();
    table.text('value').notNullable();
    table.primary(['recording', 'kind', 'value']);
    table.index(['kind', 'value']);
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('recording_links');
}
