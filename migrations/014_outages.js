// @ts-check

/**
 * Outages of a part that have begun and are not over, so that the log can state one whose end nobody saw.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.createTable('outages', (table) => {
    table.text('node').notNullable();
    table.text('cause').notNullable();
    table.double('since').notNullable();
    table.primary(['node', 'cause', 'since']);
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('outages');
}
