// @ts-check

/**
 * Where a recording is to end that somebody stopped, from the order until its files are cut: should the process end in between, the next start
 * cuts them.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.alterTable('recordings', (table) => {
    table.text('stopped');
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.alterTable('recordings', (table) => {
    table.dropColumn('stopped');
  });
}
