// The contract of the store, on each engine.
import { exerciseStore } from './store-contract.ts';
import { onEachEngine } from './store-ground.ts';

onEachEngine('the store', exerciseStore);
