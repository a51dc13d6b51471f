/** What a gateway says against something; null when it says nothing. */
export function problemText(problem: { readonly code: string; readonly message: string } | null): string | null {
  return problem === null ? null : `${problem.message} (${problem.code})`;
}
