// @ts-check

/**
 * Which announcement was heard in which call, and by what a recording of the same call is found: ids of the call (`id`), and the last digits of
 * its numbers (`tail`). `recording` is set when one that belongs to it is sealed; without one a row goes at `keep_until`.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.createTable('announced', (table) => {
    table.text('id').primary();
    table.text('node').notNullable();
    table.double('at').notNullable();
    table.text('name').notNullable();
    table.text('locale').notNullable();
    table.text('sha256').notNullable();
    table.double('milliseconds').notNullable();
    table.boolean('whole').notNullable();
    table.text('trunk').notNullable();
    table.text('call_id').notNullable();
    table.text('numbers').notNullable();
    table.double('keep_until').notNullable();
    table.text('recording');
    table.text('linked_by');
    table.index(['recording', 'keep_until']);
    table.index(['node', 'at']);
  });
  await knex.schema.createTable('announced_keys', (table) => {
    table.text('announced').notNullable().references('announced.id').onDelete('CASCADE');
    table.text('kind').notNullable();
    table.text('value').notNullable();
    table.primary(['announced', 'kind', 'value']);
    table.index(['kind', 'value']);
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('announced_keys');
  await knex.schema.dropTable('announced');
}
