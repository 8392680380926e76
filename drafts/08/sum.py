import json
runs=json.load(open('/work/main/data/studies/babi.json'))['runs']
pub=json.load(open('/work/main/data/studies/memory_networks_published.json'))['babi']['errors']
def v(r):
    b=max(r['curve'],key=lambda c:(c['valid_accuracy'],-c['valid_loss'])); return b['valid_accuracy'],-b['valid_loss']
best={t:max((r for r in runs if r['task']==t),key=v) for t in sorted({r['task'] for r in runs})}
for t,r in best.items(): print(t,r['test_error'],pub[str(t)],[(q['test_error'],round(v(q)[0],3),q['seed']) for q in runs if q['task']==t], r['facts_by_hop'])
print(sum(r['test_error'] for r in best.values())/len(best), sum(pub[str(t)] for t in best)/len(best), sum(r['processor_minutes'] for r in runs))
print({t:(r['facts_by_hop'],r['facts_chance'],r['variant']) for t,r in best.items()})
