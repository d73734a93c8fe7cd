// @ts-check

/**
 * Of the checkpoints only some leave (the others are for the proofs beside recordings). Roots of 256 entries each, so that a proof needs
 * few of them; further files of a log's folder (time stamps, cosignatures, key rolls); time stamps to be fetched; what was last seen of
 * other logs.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.alterTable('checkpoints', (table) => {
    table.boolean('exported').notNullable().defaultTo(true);
    table.binary('next_signature');
  });
  await knex.schema.alterTable('exports', (table) => {
    table.bigInteger('files').notNullable().defaultTo(0);
  });
  await knex.schema.createTable('log_tiles', (table) => {
    table.text('origin').notNullable();
    table.bigInteger('tile').notNullable();
    table.text('root').notNullable();
    table.primary(['origin', 'tile']);
  });
  await knex.schema.createTable('evidence_files', (table) => {
    table.bigIncrements('id');
    table.text('origin').notNullable();
    table.text('path').notNullable().unique();
    table.binary('bytes').notNullable();
    table.index(['origin', 'id']);
  });
  await knex.schema.createTable('stamps', (table) => {
    table.text('origin').notNullable();
    table.bigInteger('size').notNullable();
    table.text('authority').notNullable();
    table.double('due_at').notNullable();
    table.double('done_at');
    table.primary(['origin', 'size', 'authority']);
  });
  await knex.schema.createTable('witnessed', (table) => {
    table.text('node').notNullable();
    table.text('origin').notNullable();
    table.bigInteger('size').notNullable();
    table.text('root').notNullable();
    table.double('at').notNullable();
    table.primary(['node', 'origin']);
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  for (const table of ['witnessed', 'stamps', 'evidence_files', 'log_tiles'])
    await knex.schema.dropTable(table);
  await knex.schema.alterTable('exports', (table) => {
    table.dropColumn('files');
  });
  await knex.schema.alterTable('checkpoints', (table) => {
    table.dropColumn('exported');
    table.dropColumn('next_signature');
  });
}
