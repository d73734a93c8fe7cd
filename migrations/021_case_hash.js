// @ts-check

/**
 * How the entries of a hold have its case. Rows of an earlier version have none: there it is the plain SHA-256 of the reference.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.alterTable('holds', (table) => {
    table.text('case_hash');
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.alterTable('holds', (table) => {
    table.dropColumn('case_hash');
  });
}
