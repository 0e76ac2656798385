#!/bin/sh
# Does the number of clusters matter, and is the one that `mmts advise` recommends the best? The same shifts from 50, 100, 200 and
# 500 clusters, each the mean of 8 clusterings, and one temperature for all; three seeds of each, scored on the validation split.
#   sh ks.sh OUT ADVISED LEVEL FREQUENCY annotations.parquet texts.parquet features.parquet
# ADVISED (one of the k) is what the others are compared with; FREQUENCY, a column or "clusters", is what thirds follow from.
set -e
out=$1 advised=$2 level=$3 frequency=$4 annotations=$5 texts=$6 media=$7
ks="50 100 200 500"

mmts cluster "$texts" -o "$out/clusters" --sweep 50,100,200,500 --seeds 8 > "$out-advice.txt"
for k in $ks; do
    mmts shifts "$out"/clusters/k"$k"-seed*.parquet -o "$out/k$k.parquet" --tail 0.5 --level "$level" --rule log --quiet
done
if [ "$frequency" = clusters ]; then
    frequency=$out/frequency.parquet
    mmts shifts "$out"/clusters/k*-seed*.parquet -o "$frequency" --tail 0.5 --rule log --quiet
fi

run() {  # NAME SEED FLAGS...
    name=$1 seed=$2
    shift 2
    mmts train "$annotations" -o "$out/$name-$seed" --media "$media" --text "$texts" --epochs 30 --batch-size 512 \
        --seed "$seed" --resume --quiet "$@"
    mmts eval "$out/$name-$seed" -o "$out/$name-$seed/scores" --split val --frequency "$frequency" --quiet
}
for seed in 1 2 3; do
    for k in $ks; do
        run "k$k" $seed --temperature mmts --alpha 0 --shifts "$out/k$k.parquet"
    done
    run fixed $seed --temperature fixed --tau "$level"
done

scores() {
    echo "$out/$1-1/scores" "$out/$1-2/scores" "$out/$1-3/scores"
}
folders=$(scores "k$advised")
for name in k50 k100 k200 k500 fixed; do
    [ "$name" = "k$advised" ] || folders="$folders $(scores "$name")"
done
mmts compare $folders -o "$out/difference.json"
