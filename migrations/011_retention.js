// @ts-check

/**
 * How long each recording is kept, what keeps some of them longer, and the runs of the deletion job. Days are `yyyy-mm-dd`; a hold without
 * `released_at` is in force.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.alterTable('recordings', (table) => {
    table.text('retain_profile');
    table.text('retain_until');
    table.index(['node', 'retain_until']);
  });
  await knex.schema.createTable('holds', (table) => {
    table.text('id').primary();
    table.text('node').notNullable();
    table.text('case').notNullable();
    table.text('reason').notNullable();
    table.text('actor').notNullable();
    table.double('placed_at').notNullable();
    table.double('released_at');
    table.text('released_by');
    table.text('release_reason');
    table.index(['node', 'case']);
  });
  await knex.schema.createTable('held_recordings', (table) => {
    table.text('hold').notNullable().references('holds.id').onDelete('CASCADE');
    table.text('recording').notNullable().references('recordings.id').onDelete('CASCADE');
    table.primary(['hold', 'recording']);
    table.index(['recording']);
  });
  await knex.schema.createTable('deletion_runs', (table) => {
    table.bigIncrements('id');
    table.text('node').notNullable();
    table.text('day').notNullable();
    table.double('at').notNullable();
    table.text('outcome').notNullable();
    table.integer('due').notNullable();
    table.integer('deleted').notNullable();
    table.integer('pending').notNullable();
    table.index(['node', 'id']);
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  for (const table of ['deletion_runs', 'held_recordings', 'holds']) await knex.schema.dropTable(table);
  await knex.schema.alterTable('recordings', (table) => {
    table.dropIndex(['node', 'retain_until']);
    table.dropColumn('retain_profile');
    table.dropColumn('retain_until');
  });
}
