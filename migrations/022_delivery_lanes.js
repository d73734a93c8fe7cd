// @ts-check

/**
 * From when on a delivery may be tried again, where the fault is the recording's own; 0 for at once. And since when a destination that failed
 * takes recordings again while those that waited for it are on their way.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.alterTable('deliveries', (table) => {
    table.double('due_at').notNullable().defaultTo(0);
    table.index(['destination', 'state', 'waiting_since']);
  });
  await knex.schema.alterTable('delivery_troubles', (table) => {
    table.double('recovering_since');
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.alterTable('delivery_troubles', (table) => {
    table.dropColumn('recovering_since');
  });
  await knex.schema.alterTable('deliveries', (table) => {
    table.dropIndex(['destination', 'state', 'waiting_since']);
    table.dropColumn('due_at');
  });
}
