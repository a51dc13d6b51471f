/**
 * What a router for clients of the older one promises, by number, and where each is held: files from the top of the repository, and tests of theirs
 * by what their names begin with. `onMachine`: also tried in this folder, on the whole service with real hosts.
 */
export interface Item {
  readonly number: number;
  readonly says: string;
  readonly onMachine: boolean;
  readonly heldBy: readonly (readonly [file: string, test: string])[];
}

const door = (name: string): string => `programs/vrouterd/doors/router/${name}.test.ts`;
const dns = (name: string): string => `tests/dns/${name}.test.ts`;
const REFUSED = [door('service'), '2, 6, 7, 17, 18, 22, 23: what is refused'] as const;

const wire = (number: number, says: string, ...heldBy: Item['heldBy']): Item => ({
  number,
  says,
  onMachine: false,
  heldBy,
});
const whole = (number: number, says: string, ...heldBy: Item['heldBy']): Item => ({
  number,
  says,
  onMachine: true,
  heldBy,
});

export const items: readonly Item[] = [
  wire(
    1,
    'all nine calls answer, byte for byte as they are described',
    [door('grpc'), '1: an older client has its nine calls over'],
    [door('grpc'), '1: a call as bytes'],
    [door('vsock'), '1: an older client has its nine calls over VSOCK'],
  ),
  wire(2, 'a failure is an answer; statuses of gRPC are for what is no call', [door('grpc'), '2: statuses'], REFUSED),
  wire(
    3,
    'unknown fields are left alone, and a connection may say nothing for a day',
    [door('grpc'), '3: fields'],
    [door('grpc'), '3: a connection'],
  ),
  whole(4, 'CreateVLAN: a tagged link of the parent with the gateway’s address, and a reply with its name and MAC', [
    door('service'),
    '4: the reply',
  ]),
  whole(5, 'an MTU is set; one above the parent’s fails and leaves nothing', [
    door('failing'),
    '5: what the plane refuses',
  ]),
  whole(6, 'ids are from 100 to 4094', REFUSED),
  whole(7, 'a bad subnet or gateway changes nothing, also of a VLAN that is there', REFUSED),
  whole(8, 'the same VLAN again is the same; its ports and names stay'),
  whole(9, 'DeleteVLAN leaves nothing, and may be said twice', [door('failing'), '9: the plane has nothing']),
  whole(10, 'a VLAN is deleted where it was made, whatever the parent would be now', [
    door('service'),
    '10: the parent is chosen once',
  ]),
  whole(
    11,
    'NAT is on unless a client says false, and comes and goes by its own calls',
    [door('service'), '11: NAT is on'],
    [door('grpc'), '11: a client that says false'],
  ),
  whole(12, 'who leaves has the uplink’s address, neighbours see each other, and forwarding stays on'),
  whole(13, 'VLANs do not reach each other, nor does the uplink reach what is not published'),
  whole(14, 'a published port leads in from everywhere, and sources stay'),
  whole(15, 'a published 443 is not the 443 of others'),
  whole(16, 'one mapping goes and no other; none is no failure'),
  whole(17, 'a port leads to one place', REFUSED),
  whole(18, 'ports and addresses that cannot be are refused', REFUSED),
  whole(
    19,
    'names are answered as soon as the reply is there',
    [dns('names'), '19: A, AAAA and PTR'],
    [dns('names'), '19, 23: answers are right'],
  ),
  whole(
    20,
    'each network has its own names, and no question is lost while they change',
    [dns('names'), '20: another network'],
    [dns('changes'), '20: 200 updates'],
  ),
  whole(
    21,
    'names of others come from the servers of the host',
    [dns('others'), '21: whom the host asks'],
    [dns('others'), '21: a network that asks nobody'],
  ),
  whole(22, 'names that are none are refused and written nowhere', REFUSED, [dns('others'), '22: a bad name']),
  whole(23, 'names go with their VLAN, and there are none of a VLAN that is not there', REFUSED, [
    dns('changes'),
    '23: a network that is deleted',
  ]),
  whole(
    24,
    'kill -9 and a start: all is as before, traffic goes on, and what is others’ is untouched',
    [door('kept'), '24: a restart'],
    [door('killed'), '24: kill -9'],
    [dns('changes'), '24: kill -9'],
  ),
  whole(
    25,
    'a hundred calls at once end as one after the other would',
    [door('kept'), '25: any calls at once'],
    [door('kept'), '25: the same over the store'],
    [door('killed'), '25: health is answered'],
  ),
  whole(
    26,
    'health is true, or says what is broken',
    [door('failing'), '26: forwarding'],
    [door('failing'), '26: uptime'],
    [door('failing'), 'a resolver that cannot listen'],
  ),
  whole(
    27,
    'a step that fails leaves what was before',
    [door('failing'), '27: a failure at each object of a new VLAN'],
    [door('failing'), '27: a failure at each object that a change'],
  ),
];
