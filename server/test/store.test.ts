// The contract of the store, on each engine.
import { suite } from 'node:test';
import { withoutPostgres } from '../../test/kit/postgres.ts';
import { exerciseStore } from './store-contract.ts';
import { postgresGround, sqliteGround } from './store-ground.ts';

suite('the store on SQLite', () => exerciseStore('sqlite', sqliteGround));

suite('the store on PostgreSQL', { skip: withoutPostgres }, () => exerciseStore('postgres', postgresGround));
