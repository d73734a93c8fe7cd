// @ts-check

/**
 * What became of the playable copy of a recording whose codecs not everything plays, and how each leg of a recording was judged.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.createTable('renders', (table) => {
    table.text('recording').primary().references('recordings.id').onDelete('CASCADE');
    table.text('outcome').notNullable();
    table.text('detail').notNullable();
    table.text('file');
    table.double('at').notNullable();
  });
  await knex.schema.createTable('leg_verdicts', (table) => {
    table.text('recording').notNullable().references('recordings.id').onDelete('CASCADE');
    table.integer('line').notNullable();
    table.text('role').notNullable();
    table.text('verdict').notNullable();
    table.text('reasons').notNullable();
    table.primary(['recording', 'line']);
    table.index(['verdict']);
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('leg_verdicts');
  await knex.schema.dropTable('renders');
}
