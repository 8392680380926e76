from course_utils.studies import load_study
from course_utils.tasks.dialogue.answerer import *
from course_utils.tasks.dialogue.studies import measure_chat
import sys
A=Answerer.load(sys.argv[1] if len(sys.argv)>1 else "dialogue-chat")
for people in load_study("chat_turns")["sets"]:
    n=0
    for d in people["dialogues"]:
        b=Conversation(A)
        for t in d:
            r=b.say(t["said"]); ok=set(t["right"].split())<=set(r.text.split()); n+=ok
            print("ok " if ok else "NO ", t["said"],"->",r.text,round(r.probability,2),r.unknown)
    print(n)
print(measure_chat(A))
