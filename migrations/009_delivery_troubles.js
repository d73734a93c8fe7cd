// @ts-check

/**
 * Destinations that fail, from the first failure until everything has arrived, and when people were last told.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.createTable('delivery_troubles', (table) => {
    table.text('node').notNullable();
    table.text('destination').notNullable();
    table.double('since').notNullable();
    table.double('told_at');
    table.primary(['node', 'destination']);
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('delivery_troubles');
}
