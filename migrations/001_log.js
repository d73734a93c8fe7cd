// @ts-check

/**
 * The log as it begins: recordings and what belongs to them, the evidence log, and how far everything has come. Times are
 * epoch milliseconds with fraction; columns named like a type in src/jobs/ports.ts hold it as JSON.
 *
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await recordings(knex);
  await partsOfRecordings(knex);
  await evidence(knex);
  await progress(knex);
}

/** @param {import('knex').Knex} knex */
async function recordings(knex) {
  await knex.schema.createTable('recordings', (table) => {
    table.text('id').primary();
    table.text('node').notNullable();
    table.text('state').notNullable();
    table.text('direction').notNullable();
    table.text('caller_name');
    table.text('caller_number');
    table.text('callee_name');
    table.text('callee_number');
    table.text('trunk').notNullable();
    table.text('call_id').notNullable();
    table.text('pbx_call_id');
    table.double('opened_at').notNullable();
    table.double('started_at').notNullable();
    table.double('ended_at');
    table.text('end_reason');
    table.text('status');
    table.text('fail_reason');
    table.bigInteger('open_index');
    table.bigInteger('entry_index');
    table.text('file_name').unique();
    table.double('sealed_at');
    table.text('facts').notNullable();
    table.text('description').notNullable();
    table.text('capture');
    table.index(['started_at', 'id']);
    table.index(['node', 'state']);
    table.index(['call_id']);
    table.index(['pbx_call_id']);
    table.index(['caller_number']);
    table.index(['callee_number']);
  });
}

/** @param {import('knex').Knex} knex */
async function partsOfRecordings(knex) {
  await knex.schema.createTable('participants', (table) => {
    table.text('recording').notNullable().references('recordings.id').onDelete('CASCADE');
    table.integer('position').notNullable();
    table.text('participant').notNullable();
    table.text('name');
    table.text('aor');
    table.text('sends').notNullable();
    table.text('associated_at');
    table.text('disassociated_at');
    table.primary(['recording', 'position']);
    table.index(['aor']);
  });
  await knex.schema.createTable('files', (table) => {
    table.text('recording').notNullable().references('recordings.id').onDelete('CASCADE');
    table.text('name').notNullable();
    table.integer('position').notNullable();
    table.text('kind').notNullable();
    table.bigInteger('bytes').notNullable();
    table.text('sha256').notNullable();
    table.primary(['recording', 'name']);
  });
  await knex.schema.createTable('deliveries', (table) => {
    table.text('recording').notNullable().references('recordings.id').onDelete('CASCADE');
    table.text('destination').notNullable();
    table.text('state').notNullable();
    table.integer('attempts').notNullable();
    table.double('waiting_since').notNullable();
    table.double('updated_at').notNullable();
    table.boolean('permanent').notNullable();
    table.text('error');
    table.text('location');
    table.primary(['recording', 'destination']);
    table.index(['state', 'waiting_since']);
  });
  // Steps refer to a recording without a foreign key: what happened is kept even where the recording could not be.
  await knex.schema.createTable('steps', (table) => {
    table.bigIncrements('id');
    table.text('recording');
    table.double('at').notNullable();
    table.text('step').notNullable();
    table.text('outcome').notNullable();
    table.text('detail');
    table.index(['recording', 'id']);
    table.index(['at']);
  });
}

/** @param {import('knex').Knex} knex */
async function evidence(knex) {
  await knex.schema.createTable('log_entries', (table) => {
    table.text('origin').notNullable();
    table.bigInteger('index').notNullable();
    table.text('prev').notNullable();
    table.text('hash').notNullable();
    table.text('type').notNullable();
    table.text('recording');
    table.binary('bytes').notNullable();
    table.primary(['origin', 'index']);
    table.unique(['origin', 'prev']);
    table.index(['recording']);
  });
  await knex.schema.createTable('log_heads', (table) => {
    table.text('origin').primary();
    table.bigInteger('size').notNullable();
    table.text('prev').notNullable();
    table.text('frontier').notNullable();
    table.text('last_recording');
  });
  await knex.schema.createTable('seal_intents', (table) => {
    table.text('recording').primary();
    table.text('node').notNullable();
    table.double('at').notNullable();
    table.text('intent').notNullable();
  });
  await knex.schema.createTable('checkpoints', (table) => {
    table.text('origin').notNullable();
    table.bigInteger('size').notNullable();
    table.text('root').notNullable();
    table.binary('text').notNullable();
    table.binary('signature').notNullable();
    table.double('at').notNullable();
    table.primary(['origin', 'size']);
  });
}

/** @param {import('knex').Knex} knex */
async function progress(knex) {
  await knex.schema.createTable('exports', (table) => {
    table.text('destination').notNullable();
    table.text('origin').notNullable();
    table.bigInteger('entries').notNullable();
    table.bigInteger('checkpoint').notNullable();
    table.primary(['destination', 'origin']);
  });
  await knex.schema.createTable('journal_cursor', (table) => {
    table.text('node').primary();
    table.bigInteger('sequence').notNullable();
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  const tables = [
    'journal_cursor',
    'exports',
    'checkpoints',
    'seal_intents',
    'log_heads',
    'log_entries',
    'steps',
    'deliveries',
    'files',
    'participants',
    'recordings',
  ];
  for (const table of tables) await knex.schema.dropTable(table);
}
