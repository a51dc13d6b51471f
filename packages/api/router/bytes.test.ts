/**
 * Every message of router.proto against bytes that were written by hand: the field numbers and types that older clients have compiled in
 * (acceptance 1). A number is a byte; a text stands for its own bytes, its length before it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import * as pb from './gen/router_pb.ts';

type Row = readonly [
  what: string,
  schema: DescMessage,
  value: Readonly<Record<string, unknown>>,
  bytes: readonly (number | string)[],
];

const answers: readonly (readonly [string, DescMessage])[] = [
  ['DeleteVLANResponse', pb.DeleteVLANResponseSchema],
  ['ConfigureNATResponse', pb.ConfigureNATResponseSchema],
  ['RemoveNATResponse', pb.RemoveNATResponseSchema],
  ['ConfigureDNSResponse', pb.ConfigureDNSResponseSchema],
  ['AddPortMappingResponse', pb.AddPortMappingResponseSchema],
  ['RemovePortMappingResponse', pb.RemovePortMappingResponseSchema],
];

const rows: readonly Row[] = [
  [
    'CreateVLANRequest',
    pb.CreateVLANRequestSchema,
    { vlanId: 100, subnet: '172.18.0.0/16', gateway: '172.18.0.1', networkName: 'blue', mtu: 1400, enableNat: true },
    [0x08, 100, 0x12, 13, '172.18.0.0/16', 0x1a, 10, '172.18.0.1', 0x22, 4, 'blue', 0x28, 0xf8, 0x0a, 0x30, 1],
  ],
  [
    'CreateVLANRequest of a client that sends no false: enable_nat is not there',
    pb.CreateVLANRequestSchema,
    { vlanId: 4094, subnet: '', gateway: '', networkName: '', mtu: 0 },
    [0x08, 0xfe, 0x1f],
  ],
  ['CreateVLANRequest with an explicit false', pb.CreateVLANRequestSchema, { enableNat: false }, [0x30, 0]],
  ['CreateVLANRequest of nothing', pb.CreateVLANRequestSchema, {}, []],
  [
    'CreateVLANResponse',
    pb.CreateVLANResponseSchema,
    { success: true, interfaceName: 'eth0.100', macAddress: '02:00:5e:10:00:01' },
    [0x08, 1, 0x12, 8, 'eth0.100', 0x1a, 17, '02:00:5e:10:00:01'],
  ],
  ['CreateVLANResponse that failed: error is 4', pb.CreateVLANResponseSchema, { error: 'no' }, [0x22, 2, 'no']],
  ['DeleteVLANRequest', pb.DeleteVLANRequestSchema, { vlanId: 0xffff_ffff }, [0x08, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  [
    'ConfigureNATRequest',
    pb.ConfigureNATRequestSchema,
    { vlanId: 100, sourceSubnet: '10.0.0.0/8' },
    [0x08, 100, 0x12, 10, '10.0.0.0/8'],
  ],
  [
    'RemoveNATRequest',
    pb.RemoveNATRequestSchema,
    { vlanId: 100, sourceSubnet: '10.0.0.0/8' },
    [0x08, 100, 0x12, 10, '10.0.0.0/8'],
  ],
  [
    'ConfigureDNSRequest: each entry of the map is a message of its own',
    pb.ConfigureDNSRequestSchema,
    { vlanId: 100, subnet: 's', gateway: 'g', domain: 'lan', hosts: { web: '10.0.0.2', db: '' } },
    [0x08, 100, 0x12, 1, 's', 0x1a, 1, 'g', 0x22, 3, 'lan']
      .concat([0x2a, 15, 0x0a, 3, 'web', 0x12, 8, '10.0.0.2'])
      .concat([0x2a, 6, 0x0a, 2, 'db', 0x12, 0]),
  ],
  [
    'AddPortMappingRequest',
    pb.AddPortMappingRequestSchema,
    { containerIp: '10.0.0.2', containerPort: 80, hostPort: 8080, protocol: 'TCP', vlanId: 100 },
    [0x0a, 8, '10.0.0.2', 0x10, 80, 0x18, 0x90, 0x3f, 0x22, 3, 'TCP', 0x28, 100],
  ],
  [
    'RemovePortMappingRequest',
    pb.RemovePortMappingRequestSchema,
    { hostPort: 8080, protocol: 'tcp' },
    [0x08, 0x90, 0x3f, 0x12, 3, 'tcp'],
  ],
  ['ListVLANsRequest', pb.ListVLANsRequestSchema, { vlanId: 100 }, [0x08, 100]],
  ['ListVLANsRequest of all', pb.ListVLANsRequestSchema, { vlanId: 0 }, []],
  [
    'ListVLANsResponse',
    pb.ListVLANsResponseSchema,
    {
      vlans: [
        {
          vlanId: 100,
          interfaceName: 'e.100',
          gateway: '10.0.0.1',
          subnet: '10.0.0.0/8',
          macAddress: '02:00:5e:10:00:01',
          mtu: 1500,
          isUp: true,
          natEnabled: true,
        },
        {},
      ],
      error: '',
    },
    [0x0a, 57, 0x08, 100, 0x12, 5, 'e.100', 0x1a, 8, '10.0.0.1', 0x22, 10, '10.0.0.0/8']
      .concat([0x2a, 17, '02:00:5e:10:00:01', 0x30, 0xdc, 0x0b, 0x38, 1, 0x40, 1])
      .concat([0x0a, 0]),
  ],
  ['ListVLANsResponse with its error', pb.ListVLANsResponseSchema, { error: 'no' }, [0x12, 2, 'no']],
  ['HealthRequest', pb.HealthRequestSchema, {}, []],
  [
    'HealthResponse: a uint64 is a BigInt',
    pb.HealthResponseSchema,
    { healthy: true, status: 'running', activeVlans: 2, uptimeSeconds: 2n ** 64n - 1n },
    [0x08, 1, 0x12, 7, 'running', 0x18, 2, 0x20, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
  ],
  ...answers.flatMap(([what, schema]): Row[] => [
    [what, schema, { success: true }, [0x08, 1]],
    [`${what} that failed`, schema, { success: false, error: 'no' }, [0x12, 2, 'no']],
  ]),
];

function bytesOf(parts: readonly (number | string)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part))));
}

for (const [what, schema, value, parts] of rows)
  test(what, () => {
    const bytes = bytesOf(parts);
    assert.deepEqual(Buffer.from(toBinary(schema, create(schema, value))).toString('hex'), bytes.toString('hex'));
    assert.deepEqual(fromBinary(schema, bytes), create(schema, value));
  });

test('every message has a row', () => {
  const tried = new Set(rows.map(([, schema]) => schema.typeName).concat('router.VLANInterface'));
  assert.deepEqual(
    pb.file_router.messages.map(({ typeName }) => typeName).filter((name) => !tried.has(name)),
    [],
  );
});

test('nine methods, all unary, with their paths and messages (acceptance 1)', () => {
  assert.equal(pb.file_router.proto.name, 'router.proto');
  assert.deepEqual(
    pb.RouterService.methods.map(({ parent, name, methodKind, input, output }) => [
      `/${parent.typeName}/${name}`,
      methodKind,
      input.name,
      output.name,
    ]),
    [
      ['CreateVLAN', 'DeleteVLAN', 'ConfigureNAT', 'RemoveNAT', 'ConfigureDNS'],
      ['AddPortMapping', 'RemovePortMapping', 'ListVLANs'],
    ]
      .flat()
      .map((name) => [`/router.RouterService/${name}`, 'unary', `${name}Request`, `${name}Response`])
      .concat([['/router.RouterService/GetHealth', 'unary', 'HealthRequest', 'HealthResponse']]),
  );
});

test('what is not known is left alone (acceptance 3)', () => {
  const { vlanId } = fromBinary(pb.DeleteVLANRequestSchema, bytesOf([0x08, 100, 0x7a, 3, 'new', 0xf8, 0x07, 1]));
  assert.equal(vlanId, 100);
});
