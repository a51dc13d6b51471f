/** The part `routerService` of vrouterd's file. */
import { resolve } from 'node:path';
import { parseInterfaceName } from '@vrouter/core/names.ts';
import { z } from 'zod';
import { DEFAULT_CIDS, parseLoopback, type RouterServiceConfig, type TcpPlace } from './places.ts';

/** VMADDR_PORT_ANY and VMADDR_CID_ANY are the number above. */
const U32_MAX = 0xffff_fffe;

const tcp = z.string().transform((text, context): TcpPlace => {
  const place = parseLoopback(text);
  if (place.ok) return place.value;
  context.addIssue({ code: 'custom', message: place.error.message });
  return z.NEVER;
});

export const routerServiceFile = z
  .strictObject({
    vsockPort: z.int().min(1).max(U32_MAX).optional(),
    /** Context ids of peers; 2, the machine that hosts this one, when nothing is said. */
    allowedCids: z.array(z.int().min(0).max(U32_MAX)).max(1024).optional(),
    socket: z.string().min(1).optional(),
    /** An address of the loopback and a port. */
    tcp: tcp.optional(),
    /** The interface that VLANs are of; that of the default route when nothing is said. */
    parent: z
      .string()
      .refine((text) => parseInterfaceName(text).ok, 'is the name of an interface of this host: eth0')
      .optional(),
  })
  .refine(
    ({ vsockPort, socket, tcp: place }) => vsockPort !== undefined || socket !== undefined || place !== undefined,
    'say where it listens: vsockPort, socket or tcp',
  );

export function readRouterService(file: z.infer<typeof routerServiceFile>): RouterServiceConfig {
  return {
    vsockPort: file.vsockPort ?? null,
    allowedCids: file.allowedCids ?? DEFAULT_CIDS,
    socket: file.socket === undefined ? null : resolve(file.socket),
    tcp: file.tcp ?? null,
    parent: file.parent ?? null,
  };
}
