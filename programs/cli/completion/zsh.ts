import { fileOptions, type Spot, type Word } from './words.ts';

/** For zsh: `source <(vrouterctl completion zsh)` after compinit, or a file `_vrouterctl` on fpath. */
export function zshScript(spots: readonly Spot[], valueOptions: readonly string[]): string {
  const values = valueOptions.filter((option) => !fileOptions.some((file) => file === option));
  const paths = spots.filter((spot) => spot.path !== '').map((spot) => `'${spot.path}'`);
  const list = (words: readonly Word[]): string => words.map(({ text, about }) => quote(`${text}:${about}`)).join(' ');
  const cases = spots.map(
    (spot) => `    '${spot.path}') commands=(${list(spot.commands)}); options=(${list(spot.options)}) ;;`,
  );
  return `#compdef vrouterctl
# vrouterctl: completion for zsh. Use: source <(vrouterctl completion zsh)
_vrouterctl() {
  local place='' next word
  local -a commands options
  case "$words[CURRENT-1]" in
    ${fileOptions.join('|')}) _files; return ;;
    ${values.join('|')}) return ;;
  esac
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="\${place:+$place }$word"
    case "$next" in
      ${paths.join('|')}) place="$next" ;;
    esac
  done
  case "$place" in
${cases.join('\n')}
  esac
  if [[ "$words[CURRENT]" == -* ]]; then _describe -t options option options
  else _describe -t commands command commands
  fi
}
if [[ "$funcstack[1]" == _vrouterctl ]]; then _vrouterctl "$@"; else compdef _vrouterctl vrouterctl; fi
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
