// @ts-check

/**
 * Why and by whose order a recording is being deleted, from the moment the deletion begins.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.alterTable('recordings', (table) => {
    table.text('deletion');
    table.double('deletion_begun_at');
    table.index(['node', 'deletion_begun_at']);
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.alterTable('recordings', (table) => {
    table.dropIndex(['node', 'deletion_begun_at']);
    table.dropColumn('deletion');
    table.dropColumn('deletion_begun_at');
  });
}
