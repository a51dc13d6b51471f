/** The UDP port, inside the tunnel, on which demo peers meet. */
export const TRAFFIC_PORT = 7777;
