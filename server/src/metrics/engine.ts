// The engines of this node as gauges, read when they are asked for: what is in memory, places in use, connections, lanes.
import type { Delivering } from '../engine/index.ts';
import type { FlowEngine } from '../flow/index.ts';
import type { Metrics } from '../metrics.ts';

/** What is gauged; the engines are made after their gauges. */
export interface Engines {
  delivering(): Pick<Delivering, 'stats'>;
  flows(): Pick<FlowEngine, 'stats'>;
  /** Places for deliveries, and for runs. */
  places: { deliveries: number; runs: number };
}

/** Makes the gauges. */
export function gaugeEngines(metrics: Metrics, { delivering, flows, places }: Engines): void {
  const gauge = (name: string, help: string) => metrics.gauge({ name: `bellwire_${name}`, help });
  const ready = gauge('engine_ready', 'Deliveries in memory that wait for a place, their pace or their turn.');
  const underWay = gauge('engine_under_way', 'Places in use: sends under way.');
  gauge('engine_places', 'Places there are for sends (delivery.concurrency).').set(places.deliveries);
  const targets = gauge('engine_targets', 'Targets that memory knows.');
  const unsettled = gauge('engine_unsettled', 'Attempts that have ended and are not written down yet.');
  const lanes = gauge('lanes_owned', 'Lanes of this node, of 64.');
  const connections = metrics.gauge({
    name: 'bellwire_connections',
    help: 'Outbound connections: in use, kept for the next request; and requests that wait for one.',
    labels: ['state'],
  });
  const origins = gauge('connection_origins', 'Schemes, hosts and ports that connections are kept to.');
  const setBacks = metrics.counter({
    name: 'bellwire_clock_set_back_total',
    help: 'How often the wall clock was set back by more than two seconds.',
  });
  const running = gauge('runs_in_memory', 'Runs under way at this node, those that only wait included.');
  gauge('run_places', 'Places there are for runs that work (flows.concurrency).').set(places.runs);
  metrics.onRead(() => {
    const { transport, ...engine } = delivering().stats();
    ready.set(engine.ready);
    underWay.set(engine.underWay);
    targets.set(engine.targets);
    unsettled.set(engine.unsettled);
    lanes.set(engine.lanes);
    setBacks.set(engine.setBacks);
    connections.set(transport.inFlight, 'in-use');
    connections.set(transport.idle, 'idle');
    connections.set(transport.waiting, 'waiting');
    origins.set(transport.origins);
    running.set(flows().stats().running);
  });
}
