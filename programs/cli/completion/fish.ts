import { fileOptions, type Spot } from './words.ts';

/** For fish: `vrouterctl completion fish | source`. */
export function fishScript(spots: readonly Spot[], valueOptions: readonly string[]): string {
  const paths = spots.filter((spot) => spot.path !== '').map((spot) => quote(spot.path));
  const lines = spots.flatMap((spot) => {
    const here = `-n ${quote(`__vrouterctl_at ${quote(spot.path)}`)}`;
    return [
      ...spot.commands.map(({ text, about }) => `complete -c vrouterctl -f ${here} -a ${text} -d ${quote(about)}`),
      ...spot.options.map(({ text, about }) => {
        const wants = fileOptions.some((file) => file === text) ? '-rF' : valueOptions.includes(text) ? '-x' : '-f';
        return `complete -c vrouterctl ${wants} ${here} -l ${text.slice(2)} -d ${quote(about)}`;
      }),
    ];
  });
  return `# vrouterctl: completion for fish. Use: vrouterctl completion fish | source
function __vrouterctl_at
  set -l path ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim -- "$path $word")
    if contains -- "$next" ${paths.join(' ')}
      set path $next
    end
  end
  test "$path" = "$argv[1]"
end
complete -c vrouterctl -f
${lines.join('\n')}
`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
