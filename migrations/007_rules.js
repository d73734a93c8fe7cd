// @ts-check

/**
 * Why a call is recorded or not: the decision beside each recording, the decisions about calls that were not recorded (without their
 * parties: nothing of such a call is kept), every version of the rules, the groups and who was logged in when, marks in the timeline of a
 * recording, and who did what. `node` is the recorder; several may share a database.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.schema.alterTable('steps', (table) => {
    table.text('actor');
  });
  await knex.schema.alterTable('recordings', (table) => {
    table.text('rule');
    table.text('decision');
    table.index(['rule']);
  });
  await knex.schema.createTable('declined_calls', (table) => {
    table.bigIncrements('id');
    table.text('node').notNullable();
    table.double('at').notNullable();
    table.text('trunk').notNullable();
    table.text('call_id').notNullable();
    table.text('pbx_call_id');
    table.text('direction').notNullable();
    table.text('rule').notNullable();
    table.text('decision').notNullable();
    table.bigInteger('entry_index');
    table.index(['at', 'id']);
    table.index(['call_id']);
    table.index(['pbx_call_id']);
  });
  await knex.schema.createTable('rule_sets', (table) => {
    table.text('node').notNullable();
    table.integer('version').notNullable();
    table.double('at').notNullable();
    table.text('source').notNullable();
    table.text('actor').notNullable();
    table.text('hash').notNullable();
    table.text('rules').notNullable();
    table.primary(['node', 'version']);
  });
  await membership(knex);
  await knex.schema.createTable('recording_marks', (table) => {
    table.text('recording').notNullable().references('recordings.id').onDelete('CASCADE');
    table.integer('position').notNullable();
    table.double('at').notNullable();
    table.text('kind').notNullable();
    table.text('detail');
    table.text('source').notNullable();
    table.primary(['recording', 'position']);
  });
}

/**
 * `until` stays empty while it lasts. Nothing is ever removed: for any moment it can be told who belonged to a group and who was logged in.
 *
 * @param {import('knex').Knex} knex
 */
async function membership(knex) {
  for (const name of ['group_members', 'group_logins'])
    await knex.schema.createTable(name, (table) => {
      table.bigIncrements('id');
      table.text('node').notNullable();
      table.text('group').notNullable();
      table.text('member').notNullable();
      table.double('since').notNullable();
      table.double('until');
      table.text('begun_by').notNullable();
      table.text('ended_by');
      table.index(['node', 'group', 'member', 'since']);
      table.index(['node', 'since']);
    });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  for (const table of ['recording_marks', 'group_logins', 'group_members', 'rule_sets', 'declined_calls'])
    await knex.schema.dropTable(table);
  await knex.schema.alterTable('recordings', (table) => {
    table.dropIndex(['rule']);
    table.dropColumn('rule');
    table.dropColumn('decision');
  });
  await knex.schema.alterTable('steps', (table) => {
    table.dropColumn('actor');
  });
}
