// @ts-check

/**
 * Every file of a recording at every destination, as it was proved there: what has to be found again to be read, kept longer or deleted,
 * whatever the configuration says by then.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.createTable('copies', (table) => {
    table.text('recording').notNullable().references('recordings.id').onDelete('CASCADE');
    table.text('destination').notNullable();
    table.text('name').notNullable();
    table.text('path').notNullable();
    table.text('location').notNullable();
    table.text('checksum').notNullable();
    table.text('version');
    table.double('locked_until');
    table.text('lock_mode');
    table.double('removed_at');
    table.primary(['recording', 'destination', 'name']);
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('copies');
}
